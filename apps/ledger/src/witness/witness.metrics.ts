import type { HotMetrics } from '#libs/platform';

const LAG_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3_600];

/** How the witnesses of the policy keep up. */
export class WitnessMetrics {
  constructor(private readonly hot: HotMetrics) {}

  answered(witness: string, outcome: string): void {
    this.hot
      .counter('custos.ledger.witness.answers', {
        description: 'Answers of witnesses to checkpoints, by outcome.',
        unit: '{answer}',
      })
      .with({ witness, outcome })
      .add(1);
  }

  cosigned(witness: string, lagMs: number): void {
    this.hot
      .histogram('custos.ledger.witness.lag', {
        description: 'From a published checkpoint to its cosignature.',
        unit: 's',
        boundaries: LAG_SECONDS,
      })
      .with({ witness })
      .record(Math.max(0, lagMs) / 1_000);
  }
}
