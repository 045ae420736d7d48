import { createServer, type Server } from 'node:http';
import type { Meter, Tracer } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { HotMetrics } from './hot-metrics.js';

export interface TelemetryOptions {
  readonly serviceName: string;
  readonly metricsHost: string;
  /** 0 = any free port; undefined = no metrics server. */
  readonly metricsPort: number | undefined;
  /** Base of the OTLP/HTTP collector; undefined = no spans are made at all. */
  readonly otlpEndpoint?: string | undefined;
  /** Share of traces that are made, 0..1. */
  readonly traceSampleRatio: number;
}

export interface Telemetry {
  /** Of `GET /metrics`; undefined where there is no metrics server. */
  readonly metricsUrl: string | undefined;
  /** For what is recorded seldom, and for observable instruments. */
  meter(name: string): Meter;
  /** For what every request records. */
  readonly hot: HotMetrics;
  /**
   * The tracer when this request is to be traced, else undefined: decided before a span costs anything (a span
   * costs 9 to 15 µs, sampled or not).
   */
  sampledTracer(): Tracer | undefined;
  shutdown(): Promise<void>;
}

/** Pulled by a scrape: nothing is aggregated or sent in between. */
class ScrapeReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

/** Once per process (the SDK registers itself globally). Metrics for Prometheus on a port of their own; spans, by hand only, where a collector is configured. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const hot = new HotMetrics();
  const reader = new ScrapeReader();
  const meters = new MeterProvider({ readers: [reader] });
  const serializer = new PrometheusSerializer('', false, undefined, true, true);
  const scrape = async (): Promise<string> => {
    const { resourceMetrics } = await reader.collect();
    const { scopeMetrics } = (await hot.collect()).resourceMetrics;
    return serializer.serialize({
      resource: resourceMetrics.resource,
      scopeMetrics: [...resourceMetrics.scopeMetrics, ...scopeMetrics],
    });
  };
  const server = options.metricsPort === undefined ? undefined : metricsServer(scrape);
  const metricsUrl =
    server === undefined
      ? undefined
      : await listen(server, options.metricsHost, options.metricsPort!);
  const tracing =
    options.otlpEndpoint === undefined || options.traceSampleRatio === 0
      ? undefined
      : await startTracing(options.serviceName, options.otlpEndpoint);
  return {
    metricsUrl,
    meter: (name) => meters.getMeter(name),
    hot,
    sampledTracer: () =>
      tracing !== undefined && Math.random() < options.traceSampleRatio
        ? tracing.tracer
        : undefined,
    shutdown: async () => {
      await tracing?.shutdown();
      await meters.shutdown();
      server?.closeAllConnections();
      if (server !== undefined) await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The SDK is loaded only here: it costs 0.3 s and 47 MB, which a process without a collector need not pay. */
async function startTracing(
  serviceName: string,
  endpoint: string,
): Promise<{ tracer: Tracer; shutdown(): Promise<void> }> {
  const [{ NodeSDK }, { OTLPTraceExporter }, { trace }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/api'),
  ]);
  const sdk = new NodeSDK({
    serviceName,
    autoDetectResources: false,
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
    traceExporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` }),
  });
  sdk.start();
  return { tracer: trace.getTracer('custos'), shutdown: () => sdk.shutdown() };
}

function metricsServer(scrape: () => Promise<string>): Server {
  return createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    scrape().then(
      (text) =>
        response
          .writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
          .end(text),
      () => response.writeHead(500).end(),
    );
  });
}

function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      server.unref();
      const address = server.address();
      const actual = typeof address === 'object' && address !== null ? address.port : port;
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${actual}/metrics`);
    });
  });
}
