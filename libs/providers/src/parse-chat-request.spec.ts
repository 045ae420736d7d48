import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { scanMembers, withoutMember } from './json-members.js';
import { parseChatRequest } from './parse-chat-request.js';

const parse = (text: string) => parseChatRequest(Buffer.from(text), { depthMax: 16 });
const MESSAGES = '[{"role":"user","content":"hi"}]';

describe('parseChatRequest', () => {
  test('finds the exact bytes of each top-level member', () => {
    const text = ` {"model" : "m" ,"messages":${MESSAGES}, "x":{"model":["}",1]},"y":-1.5e3 } `;
    const parsed = parse(text);
    if (!parsed.ok) throw new Error(parsed.message);
    const { members, body } = parsed.request;
    expect(members.map(({ key, start, end }) => [key, text.slice(start, end)])).toEqual([
      ['model', '"model" : "m"'],
      ['messages', `"messages":${MESSAGES}`],
      ['x', '"x":{"model":["}",1]}'],
      ['y', '"y":-1.5e3'],
    ]);
    expect(members.map(({ valueStart, end }) => text.slice(valueStart, end))[0]).toBe('"m"');
    expect(body.model).toBe('m');
  });

  test.each([
    ['{"model":"m"', 'invalid_json', undefined],
    ['[]', 'invalid_json', undefined],
    ['null', 'invalid_json', undefined],
    ['', 'invalid_json', undefined],
    ['{"messages":[{"role":"user"}]}', 'invalid_request', 'model'],
    ['{"model":1,"messages":[{"role":"user"}]}', 'invalid_request', 'model'],
    [`{"model":"${'m'.repeat(257)}","messages":${MESSAGES}}`, 'invalid_request', 'model'],
    ['{"model":"m","messages":[]}', 'invalid_request', 'messages'],
    ['{"model":"m","messages":[1]}', 'invalid_request', 'messages[0]'],
    ['{"model":"m","messages":[{"role":"user"},{}]}', 'invalid_request', 'messages[1].role'],
    [
      '{"model":"m","messages":[{"role":"user","content":[1]}]}',
      'invalid_request',
      'messages[0].content',
    ],
    [`{"model":"m","messages":${MESSAGES},"stream":1}`, 'invalid_request', 'stream'],
    [`{"model":"m","messages":${MESSAGES},"max_tokens":0}`, 'invalid_request', 'max_tokens'],
    [`{"model":"m","messages":${MESSAGES},"max_tokens":1.5}`, 'invalid_request', 'max_tokens'],
    [`{"model":"m","messages":${MESSAGES},"n":2}`, 'invalid_request', 'n'],
    [`{"model":"m","messages":${MESSAGES},"tools":{}}`, 'invalid_request', 'tools'],
    [`{"model":"m","model":"x","messages":${MESSAGES}}`, 'invalid_request', undefined],
    [`{"model":"m","mod\\u0065l":"x","messages":${MESSAGES}}`, 'invalid_request', undefined],
    [`{"model":"m","messages":${'['.repeat(17)}${']'.repeat(17)}}`, 'too_deep', undefined],
  ])('refuses %s', (text, code, param) => {
    expect(parse(text)).toMatchObject({ ok: false, code, ...(param ? { param } : {}) });
  });

  test('refuses bytes that are not UTF-8, and never repeats a value in a message', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"model":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);
    expect(parseChatRequest(bytes)).toMatchObject({ ok: false, code: 'invalid_json' });
    const canary = parse(`{"model":"m","messages":"canary-7f"}`);
    expect(JSON.stringify(canary)).not.toContain('canary-7f');
  });

  test('a prompt sent as the name of the model was written into the audit record', () => {
    for (const model of ['Tell me about patient 7', 'a\nb', '"a"', ' a', '{a}'])
      expect(
        parse(JSON.stringify({ model, messages: [{ role: 'user', content: 'x' }] })),
      ).toMatchObject({ ok: false, code: 'invalid_request', param: 'model' });
    for (const model of ['openai/gpt-4o:nitro', '~x/y', '@cf/meta/llama-3.1-8b', 'a+b'])
      expect(
        parse(JSON.stringify({ model, messages: [{ role: 'user', content: 'x' }] })),
      ).toMatchObject({ ok: true });
  });

  test('reads nulls as absent and takes the first of models', () => {
    const parsed = parse(
      `{"models":["a","b"],"messages":${MESSAGES},"stream":null,"tools":null,"max_tokens":null}`,
    );
    if (!parsed.ok) throw new Error(parsed.message);
    expect(parsed.request.body.model).toBe('a');
    expect(parsed.request.body.stream).toBeUndefined();
    expect(parsed.request.body.tools).toBeUndefined();
  });

  test('long strings, escapes and quotes everywhere: ranges hold what JSON.parse says', () => {
    const text = fc.string({
      unit: fc.constantFrom('"', '\\', 'a', 'é', '\n', '{', '}', '[', ',', ':', '😀'),
      maxLength: 300,
    });
    fc.assert(
      fc.property(
        fc.dictionary(text, fc.oneof(text, fc.jsonValue({ maxDepth: 3 })), {
          noNullPrototype: true,
        }),
        fc.constantFrom(undefined, 1, 3),
        (object, indent) => {
          const bytes = Buffer.from(JSON.stringify(object, undefined, indent));
          const { members } = scanMembers(bytes, Infinity);
          const read = members.map(({ key, valueStart, end }) => [
            key,
            JSON.parse(bytes.toString('utf8', valueStart, end)) as unknown,
          ]);
          expect(read).toEqual(Object.entries(JSON.parse(bytes.toString()) as object));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('hostile bytes: never throws, and takes only what JSON.parse takes', () => {
    const token = fc.constantFrom(
      '{', '}', '[', ']', ',', ':', '"', '\\', 'a', '1', 'null', ' ', '"model":"m"', '"messages":',
      MESSAGES, '\u0000', '\ufeff',
    ); // prettier-ignore
    const text = fc.array(token, { maxLength: 40 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        fc.oneof(
          text.map((t) => Buffer.from(t)),
          fc.uint8Array().map(Buffer.from),
        ),
        (bytes) => {
          const parsed = parseChatRequest(bytes as Buffer, { depthMax: 8 });
          let valid: unknown;
          try {
            valid = JSON.parse(bytes.toString());
          } catch {
            valid = undefined;
          }
          const isObject = typeof valid === 'object' && valid !== null && !Array.isArray(valid);
          if (parsed.ok) expect(isObject).toBe(true);
          if (!isObject && !parsed.ok) expect(parsed.code).not.toBe('invalid_request');
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('20 MiB of escaped quotes are read in the time of one pass, not of many', () => {
    const cpuMicros = (quotes: number): number => {
      const hostile = Buffer.from(
        `{"model":"m","messages":[{"role":"user","content":"${'\\"'.repeat(quotes)}"}]}`,
      );
      const began = process.cpuUsage();
      expect(scanMembers(hostile, 64).members).toHaveLength(2);
      return process.cpuUsage(began).user;
    };
    cpuMicros(64 * 1024);
    const small = cpuMicros(640 * 1024);
    // 16 times as long: as many times the work if it is one pass, 256 times if it were one per quote.
    expect(cpuMicros(10 * 1024 * 1024)).toBeLessThan(100 * Math.max(small, 1_000));
  });

  test('a member is cut out with exactly one comma', () => {
    expect(withoutMember('{"a":1,"b":2,"c":3}', 'b')).toBe('{"a":1,"c":3}');
    expect(withoutMember('{"a":1,"b":2}', 'a')).toBe('{"b":2}');
    expect(withoutMember('{"a":1,"b":2}', 'b')).toBe('{"a":1}');
    expect(withoutMember('{ "a":1 }', 'a')).toBe('{  }');
    expect(withoutMember('{"a":1}', 'b')).toBe('{"a":1}');
  });
});
