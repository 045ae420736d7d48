// A PostgreSQL that is there to be killed: the postmaster alone, all of its processes at once, or one backend under it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { EmbeddedPostgres } from '#libs/platform';
import { runDirectory } from '../support/postgres.js';

export class MortalPostgres {
  private constructor(
    private readonly dataDir: string,
    private server: EmbeddedPostgres,
  ) {}

  static async open(): Promise<MortalPostgres> {
    const dataDir = join(mkdtempSync(join(runDirectory(), 'mortal-')), 'data');
    return new MortalPostgres(dataDir, await start(dataDir));
  }

  /** Another after a restart where the old one was taken. */
  get port(): number {
    return Number(new URL(this.server.superuserUrl).port);
  }

  get urls(): Pick<EmbeddedPostgres, 'ownerUrl' | 'appUrl' | 'auditUrl' | 'superuserUrl'> {
    return this.server;
  }

  /** The postmaster alone: its backends notice and end by themselves. */
  async killPostmaster(): Promise<void> {
    process.kill(this.server.pid, 'SIGKILL');
    await this.server.exited;
  }

  /** Every process of the server at the same moment. */
  async killAll(): Promise<void> {
    const { pid } = this.server;
    process.kill(pid, 'SIGSTOP');
    for (const child of childrenOf(pid)) signal(child);
    process.kill(pid, 'SIGKILL');
    await this.server.exited;
  }

  /** One backend, by the end of its session's name: the postmaster then throws all others out and recovers. */
  async killBackend(applicationName: string): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.server.superuserUrl });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name like '%' || $1 order by pid limit 1`,
        [applicationName],
      );
      return rows[0] !== undefined && signal(rows[0].pid);
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Starts again on the same data. */
  async restart(): Promise<void> {
    await this.server.stop();
    this.server = await start(this.dataDir);
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}

async function start(dataDir: string): Promise<EmbeddedPostgres> {
  // Imported here: it is large, and not every spec that reads these types needs it.
  const { startEmbeddedPostgres } = await import('#libs/platform');
  return startEmbeddedPostgres({ dataDir });
}

function childrenOf(parent: number): readonly number[] {
  const listed = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).stdout;
  return listed
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, ppid]) => ppid === parent)
    .map(([pid]) => pid!);
}

function signal(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
