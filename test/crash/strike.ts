// What a point of a campaign is, and the ways to kill: at an exact message on a wire, at random, several at once, as a ghost.
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/gateway.js';
import type { Chance } from './chance.js';
import type { House, LogKind, Member } from './house.js';
import type { Held, Passing, Tap } from './tap.js';
import type { Traffic } from './traffic.js';

/** What brings the moment about comes many times a second under the load; a dead leader's successor takes a while. */
const MOMENT_WITHIN_MS = 20_000;
/** A moment of nobody's choosing. */
export const RANDOM_SPREAD_MS = 600;
/** Its silence, a sweep, and what comes in between on a busy machine. */
const RETIRED_WITHIN_MS = 40_000;
/** Long enough for running streams to end and new requests to come. */
const GHOST_MS = 2_000;
export const EVERYWHERE: readonly LogKind[] = ['postgres', 'kafka'];

export interface Scene {
  readonly house: House;
  readonly traffic: Traffic;
  readonly chance: Chance;
  /** The partition that an ingress alive writes to. */
  ingressPartition(): Promise<number>;
  /** Writers of ingresses that a sweeper has retired so far. */
  retiredIngresses(): Promise<number>;
}

export interface Struck {
  readonly killed: readonly string[];
  /** False: the moment did not come in time, and the kill was at random instead. */
  readonly atMoment: boolean;
}

export interface KillPoint {
  readonly name: string;
  /** All of these serve before it is struck; others go first meanwhile. */
  readonly needs?: 'ingress' | 'ledger';
  readonly logs: readonly LogKind[];
  /** Times in a deck of all. */
  readonly weight: number;
  strike(scene: Scene): Promise<Struck>;
}

/** Made anew for each wire: it may remember what has passed. */
export type Matcher = () => (passing: Passing) => boolean;

/** Kills whoever of them sends, or is sent, that message first. */
export async function atMessage(
  { house, chance }: Scene,
  app: string,
  wire: 'database' | 'provider',
  matcher: Matcher,
  held: Held,
): Promise<Struck> {
  const wires = house.all(app).flatMap((member) => {
    const tap = member[wire];
    return tap === undefined ? [] : [{ member, tap }];
  });
  let struck:
    { readonly member: Member; readonly tap: Tap; readonly dead: Promise<void> } | undefined;
  const traps = wires.map(({ member, tap }) =>
    tap.stopAt(
      matcher(),
      () => {
        struck = { member, tap, dead: house.kill(member) };
        for (const trap of traps) trap.cancel();
      },
      MOMENT_WITHIN_MS,
    ),
  );
  await Promise.all(traps.map(({ sprung }) => sprung));
  if (struck === undefined) {
    const member = chance.pick(house.all(app));
    await house.kill(member);
    return { killed: [member.name], atMoment: false };
  }
  await struck.dead;
  struck.tap.thaw(held);
  return { killed: [struck.member.name], atMoment: true };
}

export async function atRandom({ house, chance }: Scene, apps: readonly string[]): Promise<Struck> {
  await sleep(chance.between(0, RANDOM_SPREAD_MS));
  const member = chance.pick(house.all(chance.pick(apps)));
  await house.kill(member);
  return { killed: [member.name], atMoment: true };
}

export async function together({ house }: Scene, app: string): Promise<Struck> {
  const members = house.all(app);
  await Promise.all(members.map((member) => house.kill(member)));
  return { killed: members.map(({ name }) => name), atMoment: true };
}

/**
 * Stopped until its writer has been retired, then let go on as if nothing had been, and killed a while later: for that while
 * it is a ghost that still has clients, leases and a log to write to.
 */
export async function asGhost(scene: Scene): Promise<Struck> {
  const { house, chance } = scene;
  const member = chance.pick(house.all('ingress'));
  const before = await scene.retiredIngresses();
  member.process.signal('SIGSTOP');
  const retired = await eventually(
    async () => (await scene.retiredIngresses()) > before || undefined,
    RETIRED_WITHIN_MS,
  ).catch(() => false);
  member.process.signal('SIGCONT');
  await sleep(GHOST_MS);
  const alive = member.process.runs;
  if (alive) await house.kill(member);
  return { killed: alive ? [member.name] : [], atMoment: retired };
}
