// What happened and what it costs, as pure functions over audit events and price books: life cycle, rating,
// double entry, the auditor's trail. Integers only; the same events give the same books on any machine.
export { rate, worstCaseCost } from './rate.js';
export type { RatedAmount, RatedLine, TokenClass, WorstCase } from './rate.js';
