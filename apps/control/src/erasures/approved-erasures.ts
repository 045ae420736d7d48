import { MoreThan, type DataSource } from 'typeorm';
import type { VaultKeeper } from '#libs/vault';
import { ErasureEntity } from './erasure.entity.js';

/** Looked at in one round; the next one goes on behind them. */
const PER_ROUND = 500;

/**
 * Destroys the keys of erasures whose record is in the log. Whether a hold stands against one the vault decides by itself, at
 * that moment: no lock of control's waits for it. Done twice it is done once.
 */
export class ApprovedErasures {
  /** Ids are in the order of their making. Behind the last of them it begins anew, so that held ones keep nobody waiting. */
  #after = '';

  constructor(
    private readonly database: DataSource,
    private readonly keeper: VaultKeeper,
  ) {}

  /** The next ones in turn. Throws where one fails; the next round goes on behind it. */
  async round(signal: AbortSignal): Promise<void> {
    const due = await this.#erasures.find({
      where: { status: 'approved', id: MoreThan(this.#after) },
      order: { id: 'ASC' },
      take: PER_ROUND,
    });
    for (const erasure of due) {
      if (signal.aborted) return;
      this.#after = erasure.id;
      await this.#execute(erasure);
    }
    if (due.length < PER_ROUND) this.#after = '';
  }

  /** That one, where it is approved. */
  async one(id: string): Promise<void> {
    const erasure = await this.#erasures.findOneBy({ id, status: 'approved' });
    if (erasure !== null) await this.#execute(erasure);
  }

  async #execute({ id, subjectKeyId, ledgerId }: ErasureEntity): Promise<void> {
    const { outcome } = await this.keeper.eraseKey(subjectKeyId, id, ledgerId);
    if (outcome === 'held') return;
    await this.#erasures.update(
      { id, status: 'approved' },
      { status: 'executed', destroyedAt: new Date() },
    );
  }

  get #erasures() {
    return this.database.getRepository(ErasureEntity);
  }
}
