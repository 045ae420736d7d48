import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

import { buildBundle } from './build-bundle.js';
import { formatted, splitPolicies } from './cedar.js';
import { readPolicyCases, runPolicyCases } from './policy-cases.js';
import { POLICY_DIR, shippedBundle, shippedSources } from './shipped-policies.spec-support.js';

const read = (file: string): string => readFileSync(join(POLICY_DIR, file), 'utf8');

const packShape = z.strictObject({
  regime: z.string(),
  title: z.string().min(1),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  effectiveFrom: z.iso.date(),
  effectiveTo: z.iso.date().nullable(),
  articles: z.array(z.string()).min(1),
  sourceUrls: z.array(z.url()).min(1),
  readOn: z.iso.date(),
  reviewer: z.string().nullable(),
  liftable: z.boolean(),
  disclaimer: z.literal('not legal advice; not reviewed by counsel'),
  switches: z
    .record(
      z.string(),
      z.strictObject({
        state: z.literal('recognised'),
        tool: z.string(),
        offFile: z.string(),
        basis: z.string(),
      }),
    )
    .optional(),
  notDecidedHere: z.array(z.string()).min(1),
});

const packs = globSync('packs/*', { cwd: POLICY_DIR }).toSorted();

describe('the packs of law', () => {
  it('are the fourteen regimes', () => {
    expect(packs).toHaveLength(14);
  });

  it.each(packs)('%s says what it is, forbids only, and has cases for both verdicts', (dir) => {
    const pack = packShape.parse(JSON.parse(read(`${dir}/pack.json`)));
    expect(dir).toBe(`packs/${pack.regime}`);
    const policies = splitPolicies(read(`${dir}/rules.cedar`));
    if (!policies.ok) throw new Error(policies.messages.join());
    expect(policies.value.length).toBeGreaterThan(0);
    for (const text of policies.value)
      expect(text).toMatch(/@layer\("jurisdiction"\)[^]*forbid \(/);
    // No law that is written here lets itself be lifted by two employees and a ticket.
    expect([pack.liftable, policies.value.join().includes('breakGlass')]).toEqual([false, false]);
    const cases = readPolicyCases(read(`${dir}/rules.cases.json`));
    expect(new Set(cases.map((c) => c.expect.decision))).toEqual(new Set(['permit', 'deny']));
  });

  const offFiles = globSync('packs/*/*.cedar.off', { cwd: POLICY_DIR }).toSorted();

  it('name every switch they have, and no other', () => {
    const named = packs.flatMap((dir) => {
      const { switches = {} } = packShape.parse(JSON.parse(read(`${dir}/pack.json`)));
      return Object.values(switches).map((s) => `${dir}/${s.offFile}`);
    });
    expect(named.toSorted()).toEqual(offFiles);
  });

  it.each(offFiles)('%s, once switched, refuses what its cases say and nothing else', (file) => {
    const text = read(file);
    expect(formatted(text)).toEqual({ ok: true, value: text });
    const switched = shippedBundle({ [file]: text });
    expect(switched.version).not.toBe(shippedBundle().version);
    const ownCases = file.replace('.cedar.off', '.cases.json.off');
    expect(existsSync(join(POLICY_DIR, ownCases))).toBe(true);
    const own = readPolicyCases(read(ownCases));
    expect(runPolicyCases(switched, own).filter((r) => !r.holds)).toEqual([]);
    // The tool was in use before: what the switch refuses, the pack alone permits.
    const before = runPolicyCases(shippedBundle(), own);
    expect(new Set(before.map((r) => r.actual.decision))).toEqual(new Set(['permit']));
    const rest = readPolicyCases(read(`${dirname(file)}/rules.cases.json`));
    expect(runPolicyCases(switched, rest).filter((r) => !r.holds)).toEqual([]);
    const whileOn = file.replace('-off.cedar.off', '-on.cases.json');
    const gone = runPolicyCases(switched, readPolicyCases(read(whileOn))).filter((r) => !r.holds);
    expect(new Set(gone.map((r) => r.actual.decision))).toEqual(new Set(['deny']));
  });

  it('carry every rule without a pack being needed by another', () => {
    for (const dir of packs) {
      const policies = Object.entries(shippedSources.policies).filter(
        ([file]) => !file.startsWith(`${dir}/`),
      );
      const built = buildBundle({ ...shippedSources, policies: Object.fromEntries(policies) });
      expect(built.ok ? [] : built.faults).toEqual([]);
    }
  });
});
