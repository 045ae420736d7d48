// As whom PostgreSQL runs. It refuses to run as root, and whoever runs it must reach its programs and its data.
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DomainError } from '#libs/kernel';
import { binariesIn } from './binaries.js';
import type { PostgresBinaries } from './binaries.js';
import type { EmbeddedPostgresErrorCode } from './errors.js';

/** Fixed, so that nothing of our own environment (keys!) is inherited by the database server. */
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };
/** What may be tried; specs narrow it to reach the later choices on a machine where the first one works. */
export interface Choices {
  readonly namespaces: boolean;
  /** Where a relocated cluster lies: not in a temporary folder, which a reboot may empty. */
  readonly relocationRoot: string;
}

const allChoices: Choices = {
  namespaces: process.platform === 'linux',
  relocationRoot: process.platform === 'linux' ? '/var/lib/custos' : '/usr/local/var/custos',
};
/** A probe runs `postgres --version`: milliseconds, unless the disk is asleep. */
const PROBE_TIMEOUT_MS = 10_000;

const run = promisify(execFile);

interface Identity {
  /** Put before the program; empty when it runs directly. */
  readonly prefix: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/** A place and an identity with which PostgreSQL is known to start. */
export interface Seat {
  readonly binaries: PostgresBinaries;
  /** Holds the cluster; the data directory itself unless that is out of the identity's reach. */
  readonly directory: string;
  readonly description: string;
  spawn(program: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Hands a file or folder made by us to whoever runs the server. */
  give(path: string): Promise<void>;
}

/**
 * Chooses, in this order: ourselves; as root the owner of an existing cluster; a user namespace of our own
 * (nothing moves, files stay root's); an unprivileged OS user in place; that user with programs and data moved
 * to the relocation root, recorded in `<dataDirectory>/RELOCATED`.
 * @throws DomainError `postgres_no_user`
 */
export async function chooseSeat(
  dataDirectory: string,
  installed: PostgresBinaries,
  choices: Choices = allChoices,
): Promise<Seat> {
  const users = await passwdUsers();
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0 && (process.platform !== 'linux' || users.some((user) => user.uid === uid))) {
    return seat({ prefix: [] }, installed, dataDirectory, 'this user');
  }
  const moved = await readFile(join(dataDirectory, 'RELOCATED'), 'utf8').catch(() => '');
  if (moved === '') {
    const owner = await stat(join(dataDirectory, 'cluster')).catch(() => undefined);
    const candidates = [
      ...users.filter((user) => owner !== undefined && owner.uid !== 0 && user.uid === owner.uid),
      ...(choices.namespaces ? namespaces(users) : []),
      ...(uid === 0 ? unprivileged(users) : []),
    ];
    for (const candidate of candidates) {
      const chosen = seat(asIdentity(candidate), installed, dataDirectory, candidate.name);
      if (await works(chosen)) return chosen;
    }
  }
  const [user] = unprivileged(users);
  if (uid === 0 && user !== undefined)
    return relocate(
      dataDirectory,
      installed,
      user,
      moved.trim() || placeIn(choices, dataDirectory),
    );
  throw new DomainError<EmbeddedPostgresErrorCode>(
    'postgres_no_user',
    'PostgreSQL refuses to run as root, and neither user namespaces nor an unprivileged user (postgres, nobody) ' +
      'can be used here; run as an ordinary user, or set CUSTOS_DATABASE_URL.',
  );
}

interface Candidate {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly namespace?: boolean;
}

function asIdentity(candidate: Candidate): Identity {
  if (candidate.namespace !== true) return { prefix: [], uid: candidate.uid, gid: candidate.gid };
  const maps = [`--map-user=${candidate.uid}`, `--map-group=${candidate.gid}`];
  return { prefix: ['unshare', '--user', ...maps, '--'] };
}

/** initdb looks its user up by number, so the namespace must map us to one that has a name. */
function namespaces(users: readonly Candidate[]): Candidate[] {
  const named = users.find((user) => user.uid === 1000) ?? users.find((user) => user.uid > 0);
  return named === undefined ? [] : [{ ...named, name: 'a user namespace', namespace: true }];
}

function unprivileged(users: readonly Candidate[]): Candidate[] {
  return ['postgres', '_postgres', 'nobody'].flatMap((name) =>
    users.filter((user) => user.name === name && user.uid > 0),
  );
}

async function passwdUsers(): Promise<Candidate[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    // Darwin writes nobody's number as -2; such users are of no use here.
    if (name === undefined || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}

function seat(
  identity: Identity,
  binaries: PostgresBinaries,
  directory: string,
  who: string,
): Seat {
  const { prefix, uid, gid } = identity;
  const ids = uid === undefined || gid === undefined ? {} : { uid, gid };
  return {
    binaries,
    directory,
    description: who,
    spawn: (program, args, options) => {
      const [file = program, ...rest] = [...prefix, program, ...args];
      // From `/`: our own working directory may be out of the identity's reach.
      return spawn(file, rest, { ...options, env: environment, cwd: '/', ...ids });
    },
    give: async (path) => {
      if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
    },
  };
}

/** The programs start, and the data directory can be entered and written, by this identity. */
async function works(candidate: Seat): Promise<boolean> {
  const probe = join(candidate.directory, 'probe');
  try {
    await rm(probe, { recursive: true, force: true });
    await mkdir(probe, { mode: 0o700 });
    await candidate.give(probe);
    const script = '"$1" --version >/dev/null && : > "$2/file"';
    const args = ['-c', script, 'sh', candidate.binaries.postgres, probe];
    return await new Promise<boolean>((resolve) => {
      const child = candidate.spawn('/bin/sh', args, {
        stdio: 'ignore',
        timeout: PROBE_TIMEOUT_MS,
      });
      child.once('error', () => resolve(false));
      child.once('exit', (code) => resolve(code === 0));
    });
  } catch {
    return false;
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

function placeIn(choices: Choices, dataDirectory: string): string {
  const name = createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16);
  return join(choices.relocationRoot, `data-${name}`);
}

/** Copies the programs and names a folder for the data where the user can reach both. */
async function relocate(
  dataDirectory: string,
  installed: PostgresBinaries,
  user: Candidate,
  directory: string,
): Promise<Seat> {
  const identity = asIdentity(user);
  const relocationRoot = dirname(directory);
  await mkdir(relocationRoot, { recursive: true, mode: 0o755 });
  // The umask may have narrowed what mkdir was asked for; the user must be able to pass through.
  await chmod(relocationRoot, 0o755);
  const version =
    (await run(installed.postgres, ['--version'])).stdout.trim().split(' ').at(-1) ?? 'unknown';
  const programs = join(relocationRoot, `postgresql-${version}`);
  if (!(await exists(programs))) {
    const draft = `${programs}.${process.pid}`;
    await cp(installed.root, draft, { recursive: true, verbatimSymlinks: true });
    await run('/bin/chmod', ['-R', 'a+rX', draft]);
    await rename(draft, programs).catch(() => rm(draft, { recursive: true, force: true }));
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const chosen = seat(identity, binariesIn(programs), directory, `${user.name} in ${directory}`);
  await chosen.give(directory);
  if (!(await works(chosen))) {
    throw new DomainError<EmbeddedPostgresErrorCode>(
      'postgres_no_user',
      `PostgreSQL does not start as user ${user.name} in ${directory}; run as an ordinary user, or set CUSTOS_DATABASE_URL.`,
    );
  }
  await writeFile(join(dataDirectory, 'RELOCATED'), `${directory}\n`, { mode: 0o600 });
  return chosen;
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}
