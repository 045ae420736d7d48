import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { HotHistogram, HotMetrics } from './hot-metrics.js';
import { startTelemetry, type Telemetry } from './telemetry.js';

let telemetry: Telemetry | undefined;
afterEach(async () => {
  await telemetry?.shutdown();
  telemetry = undefined;
});

const start = (): Promise<Telemetry> =>
  startTelemetry({
    serviceName: 'test',
    metricsHost: '127.0.0.1',
    metricsPort: 0,
    traceSampleRatio: 1,
  });

describe('startTelemetry', () => {
  it('serves hot and ordinary metrics as Prometheus text on a free port', async () => {
    telemetry = await start();
    const { hot } = telemetry;
    telemetry.meter('m').createCounter('rare_events', { description: 'rare' }).add(2);
    hot.counter('requests', { description: 'all', unit: '{request}' }).with({ status: 200 }).add(3);
    const seconds = hot
      .histogram('request.duration', { description: 'd', unit: 's', boundaries: [0.1, 1] })
      .with({ model: 'a/b' });
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.record(value);
    const response = await fetch(telemetry.metricsUrl!);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const text = await response.text();
    expect(text).toMatch(/^rare_events_total 2$/m);
    expect(text).toMatch(/^requests_total\{status="200"\} 3$/m);
    expect(text).toMatch(/^request_duration_bucket\{model="a\/b",le="0\.1"\} 2$/m);
    expect(text).toMatch(/^request_duration_bucket\{model="a\/b",le="1"\} 3$/m);
    expect(text).toMatch(/^request_duration_bucket\{model="a\/b",le="\+Inf"\} 4$/m);
    expect(text).toMatch(/^request_duration_count\{model="a\/b"\} 4$/m);
    expect((await fetch(telemetry.metricsUrl!.replace('/metrics', '/'))).status).toBe(404);
  });

  it('sends hand-made spans to the collector, and none of those not sampled', async () => {
    const got: { url: string | undefined; body: Buffer }[] = [];
    const collector = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        got.push({ url: request.url, body: Buffer.concat(chunks) });
        response.end();
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const { port } = collector.address() as { port: number };
    const options = {
      serviceName: 'span-test',
      metricsHost: '127.0.0.1',
      metricsPort: undefined,
      otlpEndpoint: `http://127.0.0.1:${port}/`,
    };
    const off = await startTelemetry({ ...options, traceSampleRatio: 0 });
    expect(off.sampledTracer()).toBeUndefined();
    await off.shutdown();
    telemetry = await startTelemetry({ ...options, traceSampleRatio: 1 });
    telemetry.sampledTracer()!.startSpan('one-request').end();
    await telemetry.shutdown();
    collector.closeAllConnections();
    await new Promise((resolve) => collector.close(resolve));
    expect(got.map((g) => g.url)).toEqual(['/v1/traces']);
    expect(got[0]!.body.includes('one-request')).toBe(true);
    expect(got[0]!.body.includes('span-test')).toBe(true);
  });

  it('makes no tracer where no collector is configured', async () => {
    telemetry = await start();
    expect(telemetry.sampledTracer()).toBeUndefined();
  });
});

describe('hot metrics', () => {
  it('counts a value on a boundary into the bucket below, as Prometheus does', () => {
    const histogram = new HotHistogram([1, 2]);
    for (const value of [1, 1.5, 2, 3]) histogram.record(value);
    expect(histogram.counts).toEqual([1, 2, 1]);
  });

  it('keeps one series per set of attributes and bounds their number', async () => {
    const hot = new HotMetrics();
    const counter = hot.counter('c', { description: '', unit: '1' });
    expect(counter.with({ a: 1 })).toBe(counter.with({ a: 1 }));
    for (let i = 0; i < 5_000; i += 1) counter.with({ i }).add(1);
    const [metric] = (await hot.collect()).resourceMetrics.scopeMetrics[0]!.metrics;
    expect(metric!.dataPoints.length).toBeLessThanOrEqual(2_001);
    const sum = metric!.dataPoints.reduce((s, p) => s + (p.value as number), 0);
    expect(sum).toBe(5_000);
  });
});
