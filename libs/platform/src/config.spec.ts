import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { parseConfig, variable } from './config.js';
import { ConfigError } from './errors.js';

const schema = z.object({
  PORT: variable.port().default(8080),
  URL: variable.url('postgres', 'postgresql'),
  WAIT: variable.durationMs().default(1_000),
  AGE: variable.spanMs().default(2_000),
  TOKEN: variable.secret(),
  BROKERS: variable.list().optional(),
  SHARE: variable.ratio().default(1),
  FLAG: variable.flag().default(false),
});
const good = { URL: 'postgres://u:p@h/d', TOKEN: '0123456789abcdef' };

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    parseConfig(schema, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map((f) => f.variable);
  }
  return [];
}

describe('parseConfig', () => {
  it('parses, fills in and freezes', () => {
    const config = parseConfig(schema, {
      ...good,
      WAIT: '5m',
      AGE: '365d',
      BROKERS: 'a:1, b:2,',
      SHARE: '0.25',
      FLAG: 'true',
      PORT: '',
      OTHER: 'x',
    });
    expect(config).toEqual({
      ...good,
      PORT: 8080,
      WAIT: 300_000,
      AGE: 31_536_000_000,
      BROKERS: ['a:1', 'b:2'],
      SHARE: 0.25,
      FLAG: true,
    });
    expect(Object.isFrozen(config.BROKERS)).toBe(true);
  });

  it('reports every fault at once', () => {
    expect(
      faultsOf({ PORT: '70000', URL: 'mysql://h', WAIT: 'soon', BROKERS: ',' }).toSorted(),
    ).toEqual(['BROKERS', 'PORT', 'TOKEN', 'URL', 'WAIT']);
  });

  it.each([
    ['PORT', '-1'],
    ['PORT', '80a'],
    ['URL', 'not a url'],
    ['WAIT', '1.5s'],
    // A timer for so long fires at once.
    ['WAIT', '25d'],
    ['WAIT', '2147483648'],
    ['WAIT', '999999999999d'],
    ['SHARE', '1.1'],
    ['FLAG', 'yes'],
    ['TOKEN', 'short'],
  ])('refuses %s=%s', (name, value) => {
    expect(faultsOf({ ...good, [name]: value })).toEqual([name]);
  });

  it('never repeats a value', () => {
    const canary = 'cnry9';
    try {
      parseConfig(schema, { PORT: canary, URL: canary, WAIT: canary, TOKEN: canary, FLAG: canary });
      expect(true).toBe(false);
    } catch (error) {
      expect(String(error)).not.toContain(canary);
      expect(String(error)).toContain('TOKEN');
    }
  });
});
