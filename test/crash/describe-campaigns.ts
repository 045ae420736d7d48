// A campaign as a spec: short within `npm test`, long by `npm run test:crash`, told line by line where it is long or fails.
import { writeSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { runCampaign, type CampaignOptions, type CampaignReport } from './campaign.js';
import { campaignsOf } from './crash-options.js';
import type { LogKind } from './house.js';

const TITLES: Readonly<Record<LogKind, string>> = {
  postgres: 'the whole product dies again and again, its log in PostgreSQL',
  kafka: 'the whole product dies again and again, its log on three Kafka brokers',
};
const STDERR = 2;

export function describeCampaigns(log: LogKind, possible = true): void {
  const { campaigns, aloud } = campaignsOf(log);
  (possible && campaigns.length > 0 ? describe : describe.skip)(TITLES[log], () => {
    it.each(campaigns.map((campaign) => [campaign.name, campaign] as const))(
      '%s',
      async (name, { options }) => {
        const lines: string[] = [];
        const say = (line: string): void => {
          lines.push(line);
          if (aloud) writeSync(STDERR, `${log} ${options.seed} ${line}\n`);
        };
        const report = await runCampaign(options, say).catch((cause: unknown) => {
          throw new Error([`${name} did not end; again with its seed:`, ...lines].join('\n'), {
            cause,
          });
        });
        console.info(summary(options, report));
        // With every line: only with the kills before it a fault says anything.
        const { tally, meter } = report;
        if (tally.faults.length > 0) throw new Error([name, ...lines].join('\n'));
        expect(tally.kills).toBeGreaterThanOrEqual(options.kills);
        // Else the load did not reach what was to be tried.
        expect(meter.handedOver).toBeGreaterThan(0);
        expect(tally.missed.length).toBeLessThan(tally.kills / 2);
      },
      Math.max(...campaigns.map(({ timeoutMs }) => timeoutMs)),
    );
  });
}

function summary({ log, seed }: CampaignOptions, report: CampaignReport): string {
  const { tally, meter, records, ownEnds, comebackMs } = report;
  const { kills, byPoint, missed } = tally;
  return [
    `${kills} kills on ${log}, seed ${seed}: ${meter.requests} requests reached the simulator, which handed over ` +
      `${meter.handedOver} tokens; ${meter.billed} billed, ${meter.notBilled} not (cut short, or no word of progress); ` +
      `${records} records`,
    ...Object.entries(byPoint)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([point, count]) => `${String(count).padStart(5)}  ${point}`),
    `  back after (median ms): ${JSON.stringify(comebackMs)}`,
    ...missed.map((point) => `  did not come in time: ${point}`),
    ...ownEnds.map(
      ({ name, how, lastWords }) => `  ${name} ended by itself (${how}): ${lastLine(lastWords)}`,
    ),
  ].join('\n');
}

const lastLine = (text: string): string => text.trim().split('\n').slice(-3).join(' | ');
