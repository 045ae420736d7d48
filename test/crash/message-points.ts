// The moments that one message on a wire makes: the process at its end is killed as it passes.
import type { LogKind } from './house.js';
import { atMessage, EVERYWHERE, type KillPoint, type Matcher } from './strike.js';
import type { Held } from './tap.js';

const saysUp =
  (text: string): Matcher =>
  () =>
  ({ direction, bytes }) =>
    direction === 'up' && bytes.includes(text);

/** The first bytes that come back on the connection over which this went. */
const answerTo =
  (text: string): Matcher =>
  () => {
    let asked: number | undefined;
    return ({ direction, bytes, connection }) => {
      if (direction === 'up' && bytes.includes(text)) asked ??= connection;
      return direction === 'down' && connection === asked;
    };
  };

/** Some way into an answer: the nth piece that comes back over one connection after a request. */
const amidAnswer =
  (nth: number): Matcher =>
  () => {
    const pieces = new Map<number, number>();
    return ({ direction, bytes, connection }) => {
      if (direction === 'up') pieces.set(connection, bytes.includes('POST /e/') ? 0 : -Infinity);
      const seen = (pieces.get(connection) ?? -Infinity) + (direction === 'down' ? 1 : 0);
      pieces.set(connection, seen);
      return seen >= nth;
    };
  };

const COMMIT = 'commit\0';
/** What becomes of the message when its sender is dead. */
const HELD = ['lost', 'delivered'] as const satisfies readonly Held[];

const onWire = (
  name: string,
  [app, wire]: readonly ['ingress' | 'ledger', 'database' | 'provider'],
  matcher: Matcher,
  held: readonly Held[],
  logs: readonly LogKind[] = EVERYWHERE,
): readonly KillPoint[] =>
  held.map((how) => ({
    name: held.length > 1 ? `${name}, which is ${how}` : name,
    logs,
    needs: app,
    weight: 1,
    strike: (scene) => atMessage(scene, app, wire, matcher, how),
  }));

/** Ingress and ledger alike: what they are killed in the middle of. */
export const MESSAGE_POINTS: readonly KillPoint[] = [
  ...onWire(
    'ingress: sends the opening record',
    ['ingress', 'database'],
    saysUp('custos.generation.opened.v1'),
    HELD,
    ['postgres'],
  ),
  ...onWire(
    'ingress: the opening record is durable, its acknowledgement on the way',
    ['ingress', 'database'],
    answerTo('custos.generation.opened.v1'),
    ['lost'],
    ['postgres'],
  ),
  ...onWire(
    'ingress: sends the record of a further attempt',
    ['ingress', 'database'],
    saysUp('custos.attempt.dispatched.v1'),
    HELD,
    ['postgres'],
  ),
  ...onWire(
    'ingress: has the acknowledgement, sends the request',
    ['ingress', 'provider'],
    saysUp('POST /e/'),
    HELD,
  ),
  ...[2, 12, 60].flatMap((nth) =>
    onWire(`ingress: piece ${nth} of an answer`, ['ingress', 'provider'], amidAnswer(nth), [
      'lost',
    ]),
  ),
  ...onWire(
    'ingress: after the last byte, sends the closing record',
    ['ingress', 'database'],
    saysUp('custos.generation.closed.v1'),
    HELD,
    ['postgres'],
  ),
  ...onWire('ledger: sends a commit', ['ledger', 'database'], saysUp(COMMIT), HELD),
  ...onWire('ledger: has committed and does not know', ['ledger', 'database'], answerTo(COMMIT), [
    'lost',
  ]),
  // Between the two, a checkpoint has its body for ever and no signature yet.
  ...onWire(
    'ledger: sends the body of a checkpoint',
    ['ledger', 'database'],
    saysUp('ledger.checkpoint_insert'),
    HELD,
  ),
  ...onWire(
    'ledger: the body is committed, sends the signed checkpoint',
    ['ledger', 'database'],
    saysUp('ledger.checkpoint_publish'),
    HELD,
  ),
];
