// Witnesses for specs: started as an operator starts one, asked over HTTP, all stopped at the end.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lifecycle, Logger } from '#libs/platform';
import { parseVerifierKey, type NoteVerifier } from '#libs/transparency';
import { newLogKey, type LogKey } from '../../../test/support/memory-log.js';
import { startWitness } from './witness-process.js';
import { readWitnessConfig } from './witness.config.js';

export interface Said {
  readonly status: number;
  readonly type: string | null;
  readonly body: string;
}

export interface StartedWitness {
  readonly url: string;
  readonly verifier: NoteVerifier;
  stop(): Promise<unknown>;
  post(body: string | Uint8Array): Promise<Said>;
  get(path: string): Promise<Said>;
}

export class WitnessStage {
  readonly #running: Lifecycle[] = [];

  private constructor(
    /** The state of every witness that is started without another. */
    readonly folder: string,
    /** The log that it follows. */
    readonly key: LogKey,
  ) {}

  static async open(): Promise<WitnessStage> {
    return new WitnessStage(await mkdtemp(join(tmpdir(), 'custos-witness-')), newLogKey());
  }

  async start(
    args: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<StartedWitness> {
    // What is refused is seen in its status.
    const quiet = new Logger({ app: 'spec', level: 'error', write: () => undefined });
    const lifecycle = new Lifecycle(quiet);
    this.#running.push(lifecycle);
    const argv = [
      '--port',
      '0',
      '--state-dir',
      this.folder,
      '--name',
      'witness.example/w1',
      ...args,
    ];
    const config = readWitnessConfig(
      argv.includes('--log') ? argv : [...argv, '--log', this.key.verifierKey],
      environment,
    );
    const server = await startWitness(config, lifecycle, quiet).catch(async (error: unknown) => {
      await lifecycle.shutdown('does not start');
      throw error;
    });
    const ready = await fetch(`${server.url}/health/ready`);
    const { verifierKey } = (await ready.json()) as { verifierKey: string };
    return {
      url: server.url,
      verifier: parseVerifierKey(verifierKey),
      stop: () => lifecycle.shutdown('spec'),
      post: async (body) =>
        said(await fetch(`${server.url}/add-checkpoint`, { method: 'POST', body })),
      get: async (path) => said(await fetch(`${server.url}${path}`)),
    };
  }

  async close(): Promise<void> {
    for (const lifecycle of this.#running) await lifecycle.shutdown('spec');
    await rm(this.folder, { recursive: true });
  }
}

const said = async (response: Response): Promise<Said> => ({
  status: response.status,
  type: response.headers.get('content-type'),
  body: await response.text(),
});

export const conflictAt = (size: number): Said => ({
  status: 409,
  type: 'text/x.tlog.size',
  body: `${size}\n`,
});
