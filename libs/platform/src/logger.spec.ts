import { describe, expect, it } from '@jest/globals';
import { DomainError } from '#libs/kernel';
import { describeError, Logger, type LogLevel } from './logger.js';

function captured(level: LogLevel = 'debug', pretty = false) {
  const lines: { line: string; level: LogLevel }[] = [];
  const logger = new Logger({
    app: 'test',
    level,
    pretty,
    nowMs: () => 0,
    write: (line, at) => lines.push({ line, level: at }),
  });
  return { lines, logger };
}

describe('Logger', () => {
  it('writes one JSON line per event with bound and own fields', () => {
    const { lines, logger } = captured();
    logger
      .child({ writer: 'w' })
      .info('log.appended', { records: 3, late: false, none: undefined });
    expect(JSON.parse(lines[0]!.line)).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      level: 'info',
      app: 'test',
      event: 'log.appended',
      writer: 'w',
      records: 3,
      late: false,
    });
  });

  it('is silent below its level', () => {
    const { lines, logger } = captured('warn');
    logger.debug('a');
    logger.info('b');
    logger.warn('c');
    logger.error('d');
    expect(lines.map((l) => l.level)).toEqual(['warn', 'error']);
  });

  it('cannot be made to forge a line or its own words', () => {
    const { lines, logger } = captured('debug', true);
    logger.info('x', { a: 'one\n{"level":"error"}', event: 'y' });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.line).not.toContain('\n');
    const json = captured();
    json.logger.info('true', { event: 'forged', level: 'forged' });
    expect(JSON.parse(json.lines[0]!.line)).toMatchObject({ event: 'true', level: 'info' });
  });

  it('cuts long strings and masks passwords and keys', () => {
    const { lines, logger } = captured();
    logger.info('x', {
      long: 'x'.repeat(5_000),
      url: 'postgres://u:hunter2@h/d',
      key: 'is sk-custos-AbC_-9 it',
    });
    const fields = JSON.parse(lines[0]!.line) as { long: string; url: string; key: string };
    expect(fields.long).toHaveLength(301);
    expect(fields.url).toBe('postgres://…@h/d');
    expect(fields.key).toBe('is sk-custos-… it');
  });
});

describe('describeError', () => {
  it('does not quote what a parser could not read', () => {
    let error: unknown;
    try {
      JSON.parse('{"prompt": canary}');
    } catch (e) {
      error = e;
    }
    expect((error as Error).message).toContain('canary');
    expect(JSON.stringify(describeError(error))).not.toContain('canary');
  });

  it('does not quote the string that the engine names in a TypeError', () => {
    let error: unknown;
    try {
      void ('effort' in ('canary' as unknown as object));
    } catch (e) {
      error = e;
    }
    expect((error as Error).message).toContain('canary');
    expect(JSON.stringify(describeError(error))).not.toContain('canary');
  });

  it('says code, reason and the kind of the cause', () => {
    const cause = Object.assign(new Error('secret detail'), { code: 'ECONNREFUSED' });
    expect(describeError(new DomainError('log_unavailable', 'no log', {}, { cause }))).toEqual({
      error: 'log_unavailable',
      reason: 'no log',
      cause: 'Error ECONNREFUSED',
    });
  });
});
