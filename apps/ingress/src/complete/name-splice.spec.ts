import { describe, expect, it } from '@jest/globals';
import { NameSplice } from './name-splice.js';

const id = '"id":"up-1"';
const model = '"model":"m-2"';
const event = (content: string, more = ''): string =>
  `data: {${id},"created":1,${model},"choices":[{"delta":{"content":"${content}"${more}}}]}\n\n`;
const text = (latin1: string, idLiteral: string | undefined = id) => ({
  latin1,
  contentDeltas: 1,
  contentBytes: 1,
  idLiteral,
  modelLiteral: model,
});
/** What it must give, worked out the slow way. */
const replaced = (latin1: string): string =>
  latin1.split(id).join('"id":"gen-1"').split(model).join('"model":"lab/$&m"');

describe('NameSplice', () => {
  const splice = (): NameSplice => new NameSplice('gen-1', 'lab/$&m');

  it.each([
    ['one event a read', [event('a'), event('b'), event('\\"id\\":\\"up-1\\"')]],
    ['several events a read', [event('a'), event('b') + event('c'), event('d')]],
    ['events that begin otherwise', [event('a'), `data: {${model},${id}}\n\n`, event('b')]],
    ['an event without names', [event('a'), 'data: {"choices":[]}\n\n', event('b')]],
    ['names twice in one event', [event('a', `,${model}`), event('b', `,${model}`), event('c')]],
    ['a beginning that is no event', ['data: {}\n\ndata: {}\n\n', event('a')]],
  ])('shows our names in %s', (_, reads) => {
    const names = splice();
    expect(reads.map((read) => names.of(text(read)))).toEqual(reads.map(replaced));
  });

  it('shows our model where the provider gives its events no id', () => {
    const names = splice();
    const read = `data: {${model}}\n\n`;
    for (let i = 0; i < 3; i++)
      expect(names.of({ ...text(read), idLiteral: undefined })).toBe(replaced(read));
  });

  it('learns no further from a provider whose events never begin alike', () => {
    const names = splice();
    for (let i = 0; i < 40; i++) {
      const read = `data: {"created":${i},${id},${model}}\n\n`;
      expect(names.of(text(read))).toBe(replaced(read));
    }
  });
});
