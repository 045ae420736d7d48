import type { AiderRow, SourceModel } from './source-models-dev.js';
import type { Model } from './types.js';

type Quality = NonNullable<Model['quality']>;

/**
 * Which benchmark speaks for a model that has several: the first of these. SWE-Bench Pro is the reference, because it
 * still tells models of today apart and covers most of them. Other benchmarks of the source (charts, exams,
 * terminals) say too little about chat, or too few models have them, to rank by.
 */
const REFERENCE = 'SWE-Bench Pro';
const PRECEDENCE = [REFERENCE, 'SWE-Bench Verified', 'Aider Polyglot', 'SWE-Atlas Codebase QnA'];
const AIDER = 'Aider Polyglot';
const AIDER_SOURCE = 'https://aider.chat/docs/leaderboards/';
/** A row without a date was read in the source's snapshot. */
const SNAPSHOT_DATE = '2026-07-02';

/**
 * Rows of Aider's table → our models, for models whose record in the source has no Aider row. Runs of two models
 * together, of retired previews and of models nobody offers are left out. Where a model was run several times, its
 * default run is named, not its best.
 */
const AIDER_MODELS: Readonly<Record<string, string>> = {
  'DeepSeek R1 (0528)': 'deepseek/deepseek-r1-0528',
  'DeepSeek V3 (0324)': 'deepseek/deepseek-v3-0324',
  'DeepSeek-V3.2-Exp (Chat)': 'deepseek/deepseek-v3.2-exp',
  'DeepSeek-V3.2-Exp (Reasoner)': 'deepseek/deepseek-v3.2-exp-thinking',
  'Kimi K2': 'moonshotai/kimi-k2',
  'grok-4 (high)': 'x-ai/grok-4',
  'gpt-oss-120b (high)': 'openai/gpt-oss-120b',
  'gemma-3-27b-it': 'google/gemma-3-27b-it',
  'QwQ-32B': 'qwen/qwq-32b',
  'o1-mini-2024-09-12': 'openai/o1-mini',
};

interface Measured {
  readonly benchmark: string;
  readonly percent: number;
  readonly source: string;
  readonly date: string;
}

/**
 * Quality 0..1 per model: its percentage on the reference benchmark. A model that has another one only is put on the
 * reference's scale by the ratio of the two benchmarks' sums over the offered models that were measured on both (few:
 * one for SWE-Bench Verified, four for Aider in the data of 2026-07), so that 75 %
 * on an easier test does not outrank 60 % on a harder one. The figure orders models roughly (coding tests stand
 * for all work, some rows are the vendor's own) and is no more than that. No row, no quality.
 */
export function qualityByModel(
  models: readonly SourceModel[],
  aider: readonly AiderRow[],
  modelIdOfBase: (base: string) => string | undefined,
): ReadonlyMap<string, Quality> {
  const rows = new Map<string, Measured[]>();
  const add = (model: string, row: Measured): void => {
    rows.set(model, [...(rows.get(model) ?? []), row]);
  };
  for (const model of models) {
    const id = modelIdOfBase(model.id);
    if (id === undefined) continue;
    for (const { name, score, source, date } of model.benchmarks ?? []) {
      const benchmark = name.replace(/^SWE Bench/, 'SWE-Bench');
      if (!PRECEDENCE.includes(benchmark)) continue;
      add(id, {
        benchmark,
        percent: score,
        source: source ?? 'https://models.dev',
        date: date ?? SNAPSHOT_DATE,
      });
    }
  }
  for (const { model, passRate, date } of aider) {
    const id = AIDER_MODELS[model];
    if (id === undefined || rows.get(id)?.some((row) => row.benchmark === AIDER)) continue;
    add(id, { benchmark: AIDER, percent: passRate, source: AIDER_SOURCE, date });
  }
  const ratios = ratiosToReference([...rows.values()]);
  const qualities = new Map<string, Quality>();
  for (const [id, measured] of rows) {
    const chosen = PRECEDENCE.map((benchmark) => figureOf(measured, benchmark)).find(
      (row) => row !== undefined && ratios.has(row.benchmark),
    );
    if (chosen === undefined) continue;
    const { benchmark, percent, source, date } = chosen;
    const score = Math.min(1, (percent * ratios.get(benchmark)!) / 100);
    qualities.set(id, { score: Math.round(score * 10_000) / 10_000, benchmark, source, date });
  }
  return qualities;
}

/** Factor that puts a benchmark's percentage on the reference's scale; absent where no model has both. */
function ratiosToReference(models: readonly (readonly Measured[])[]): ReadonlyMap<string, number> {
  const ratios = new Map<string, number>();
  for (const benchmark of PRECEDENCE) {
    let onReference = 0;
    let onThis = 0;
    for (const measured of models) {
      const reference = figureOf(measured, REFERENCE);
      const figure = figureOf(measured, benchmark);
      if (reference === undefined || figure === undefined) continue;
      onReference += reference.percent;
      onThis += figure.percent;
    }
    if (onThis > 0) ratios.set(benchmark, onReference / onThis);
  }
  return ratios;
}

/** Of several rows of one benchmark the newest speaks, then the lower: nobody's best of several. */
function figureOf(measured: readonly Measured[], benchmark: string): Measured | undefined {
  return measured
    .filter((row) => row.benchmark === benchmark)
    .toSorted((a, b) => (a.date === b.date ? a.percent - b.percent : a.date < b.date ? 1 : -1))[0];
}
