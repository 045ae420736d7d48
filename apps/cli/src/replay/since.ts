const UNITS_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `30d`, `12h`, `45m`, `2w` back from now, or an ISO date or instant. Undefined where it is neither. */
export function parseSince(text: string, nowMs: number): Date | undefined {
  const span = /^(\d{1,6})([mhdw])$/.exec(text);
  if (span) return new Date(nowMs - Number(span[1]) * UNITS_MS[span[2]!]!);
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return undefined;
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? undefined : at;
}
