/** Why a part is not ready, in words for an operator; undefined when it is. */
export type HealthCheck = () => string | undefined | Promise<string | undefined>;

/** A check that takes longer than this is itself a reason. */
const CHECK_DEADLINE_MS = 2_000;

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: Readonly<Record<string, string>>;
  /** What an operator must see to although requests can be served. */
  readonly notes: Readonly<Record<string, string>>;
}

/** Named checks of readiness. Liveness needs none: a process that answers is alive. */
export class HealthRegistry {
  readonly #checks = new Map<string, HealthCheck>();
  readonly #notes = new Map<string, HealthCheck>();

  /** Returns the function that takes the check away again. */
  register(name: string, check: HealthCheck): () => void {
    this.#checks.set(name, check);
    return () => void this.#checks.delete(name);
  }

  /** Of a fault that must be seen and that serving does not depend on. */
  registerNote(name: string, check: HealthCheck): () => void {
    this.#notes.set(name, check);
    return () => void this.#notes.delete(name);
  }

  async readiness(): Promise<Readiness> {
    const [reasons, notes] = await Promise.all([outcomes(this.#checks), outcomes(this.#notes)]);
    return { ready: Object.keys(reasons).length === 0, reasons, notes };
  }
}

async function outcomes(checks: ReadonlyMap<string, HealthCheck>): Promise<Record<string, string>> {
  const reasons: Record<string, string> = {};
  await Promise.all(
    [...checks].map(async ([name, check]) => {
      const reason = await outcome(check);
      if (reason !== undefined) reasons[name] = reason;
    }),
  );
  return reasons;
}

async function outcome(check: HealthCheck): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('check timed out'), CHECK_DEADLINE_MS);
  });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch {
    return 'check failed';
  } finally {
    clearTimeout(timer);
  }
}
