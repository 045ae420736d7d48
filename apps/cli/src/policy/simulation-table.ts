import type { SimulationReport } from '#libs/policy';
import { outlookTable } from './outlook-table.js';
import { table } from './table.js';

/** Rows of one dimension that are shown; JSON has them all. */
const SHOWN_MAX = 15;
const PICO_PER_USD = 1e12;

/** A simulation for people: what changes, for whom, at which cost, by which rule. */
export function simulationTable(report: SimulationReport): string {
  const parts = [
    `simulated ${report.requests} recorded requests under ${report.after}\n` +
      `in place of ${report.before}, as of ${report.at}\n`,
    table(
      ['newly refused', 'newly allowed', 'unchanged', 'of these moved'],
      [[report.newlyRefused, report.newlyAllowed, report.unchanged, report.moved]],
    ),
    dimension('workspace', report.byWorkspace),
    dimension('model', report.byModel),
    dimension('provider', report.byProvider),
    dimension('country/region', report.byCountry),
    costs(report),
    rules(report),
    listed(
      'Leaves no endpoint for',
      report.leftWithout.map(
        (l) => `${l.model} in workspace ${l.workspace} (${l.requests} requests)`,
      ),
    ),
    listed('Rules that would not have touched any of these requests', report.neverHit),
    notes(report),
    report.outlook === undefined ? '' : outlookTable(report.outlook),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function dimension(name: string, rows: SimulationReport['byModel']): string {
  const changed = rows.filter((r) => r.newlyRefused + r.newlyAllowed + r.moved > 0);
  if (changed.length === 0) return '';
  const shown = changed.slice(0, SHOWN_MAX);
  const more = changed.length - shown.length;
  return (
    table(
      [name, 'requests', 'newly refused', 'newly allowed', 'moved'],
      shown.map((r) => [r.name, r.requests, r.newlyRefused, r.newlyAllowed, r.moved]),
    ) + (more > 0 ? `… and ${more} more\n` : '')
  );
}

function costs({ cost, quality }: SimulationReport): string {
  const usd = (pico: string): string => `USD ${(Number(pico) / PICO_PER_USD).toFixed(6)}`;
  const lines = [
    `expected cost of ${cost.compared} requests allowed both times: ${usd(cost.beforePicoUsd)} → ${usd(cost.afterPicoUsd)}`,
  ];
  if (cost.refusedPicoUsd !== '0')
    lines.push(`no longer spent on refused ones: ${usd(cost.refusedPicoUsd)}`);
  if (cost.allowedPicoUsd !== '0')
    lines.push(`spent on newly allowed ones: ${usd(cost.allowedPicoUsd)}`);
  if (cost.extrapolated > 0) lines.push(`(${cost.extrapolated} by the mean of requests like them)`);
  if (quality.compared > 0)
    lines.push(
      `mean quality of ${quality.compared} first choices: ${quality.before} → ${quality.after}`,
    );
  return `${lines.join('\n')}\n`;
}

function rules({ rules: rows }: SimulationReport): string {
  const changed = rows.filter((r) => r.before !== r.after || r.newlyRefused > 0);
  if (changed.length === 0) return '';
  return table(
    ['rule', 'layer', 'touched before', 'touched after', 'newly refused'],
    changed.map((r) => [r.id, r.layer, r.before ?? '-', r.after ?? '-', r.newlyRefused]),
  );
}

const listed = (title: string, names: readonly string[]): string =>
  names.length === 0
    ? ''
    : `${title}:\n${names
        .slice(0, SHOWN_MAX)
        .map((n) => `  ${n}\n`)
        .join('')}${names.length > SHOWN_MAX ? `  … and ${names.length - SHOWN_MAX} more\n` : ''}`;

function notes(report: SimulationReport): string {
  const said: string[] = [];
  if (report.differsFromRecord > 0)
    said.push(
      `${report.differsFromRecord} were decided otherwise then: another bundle, catalog or date was in force`,
    );
  if (report.onEarlierCatalog > 0)
    said.push(
      `${report.onEarlierCatalog} were of models that the catalog has no longer: decided over the catalog of then`,
    );
  if (report.unknownModel > 0)
    said.push(`${report.unknownModel} were of models that no catalog at hand has: left out`);
  if (report.onOwnFacts > 0)
    said.push(
      `${report.onOwnFacts} were decided on what their organisation had stated of its contracts then`,
    );
  if (report.factsNotAtHand > 0)
    said.push(
      `${report.factsNotAtHand} were left out: what their organisation had stated then is not at hand`,
    );
  return said.length === 0 ? '' : `${said.join('\n')}\n`;
}
