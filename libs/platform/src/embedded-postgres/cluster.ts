// Making a database cluster, once and wholly: a crash half-way leaves nothing that the next start would trust.
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '#libs/kernel';
import { databaseName, roles } from './access.js';
import type { Access } from './access.js';
import { syncDirectory } from './durable-file.js';
import type { EmbeddedPostgresErrorCode } from './errors.js';
import type { Seat } from './run-as.js';

/** Passwords only, and only from this machine: other users of the machine can reach a TCP port, too. */
const hostBasedAccess = 'host all all 127.0.0.1/32 scram-sha-256\n';
/** What a program said last is enough to see why it failed. */
const OUTPUT_CHARS_MAX = 4_000;

export function clusterDirectory(seat: Seat): string {
  return join(seat.directory, 'cluster');
}

/** Runs initdb, makes roles and database, and moves the finished cluster to its place. Does nothing if it is there. */
export async function createCluster(seat: Seat, access: Access): Promise<'created' | 'found'> {
  const cluster = clusterDirectory(seat);
  if ((await stat(cluster).catch(() => undefined)) !== undefined) return 'found';
  for (const name of await readdir(seat.directory)) {
    if (name.startsWith('cluster.new-')) await rm(join(seat.directory, name), { recursive: true });
  }
  const draft = join(seat.directory, `cluster.new-${process.pid}`);
  await mkdir(draft, { mode: 0o700 });
  await seat.give(draft);
  // C collation: the order of text must not change under an index when the host's C library does.
  const locale = ['--encoding=UTF8', '--locale=C'];
  // Trust lasts only while nothing listens: passwords and pg_hba.conf are there before the cluster is in place.
  const login = ['--username=postgres', '--auth=trust'];
  await finish(seat, seat.binaries.initdb, ['-D', draft, ...locale, ...login], '');
  await writeFile(join(draft, 'pg_hba.conf'), hostBasedAccess);
  await finish(
    seat,
    seat.binaries.postgres,
    ['--single', '-j', '-D', draft, ...quiet, 'postgres'],
    firstSql(access),
  );
  await rename(draft, cluster);
  // A rename lost in a power cut would leave a draft, and drafts are thrown away.
  await syncDirectory(seat.directory);
  return 'created';
}

/** Keeps single-user mode from logging the statements it runs (they hold passwords), even when one fails. */
const quiet = [
  '-c',
  'log_min_error_statement=panic',
  '-c',
  'log_statement=none',
  '-c',
  'exit_on_error=on',
];

function firstSql(access: Access): string {
  const statements = [
    // Apart from postgres none is a superuser; what each may do with tables is granted by the migrations.
    ...roles.map((role) => {
      const verb = role === 'postgres' ? 'ALTER' : 'CREATE';
      return `${verb} ROLE ${role} LOGIN PASSWORD '${access.passwords[role]}'`;
    }),
    `CREATE DATABASE ${databaseName} OWNER custos_owner`,
    `REVOKE ALL ON DATABASE ${databaseName} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${databaseName} TO custos_app, custos_audit`,
    'REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC',
  ];
  // In single-user mode with -j a statement ends with a semicolon and an empty line.
  return statements.map((statement) => `${statement};\n\n`).join('');
}

/** Runs a program to its end with this input. @throws DomainError `postgres_failed` with what it said last. */
function finish(
  seat: Seat,
  program: string,
  args: readonly string[],
  input: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = seat.spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARS_MAX);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const message = `${program} ended with code ${code}:\n${output.trim()}`;
      reject(new DomainError<EmbeddedPostgresErrorCode>('postgres_failed', message));
    });
    // A program that dies early closes its end; its exit code says more than our EPIPE.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
