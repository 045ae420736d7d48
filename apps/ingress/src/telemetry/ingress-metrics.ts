import type { GenerationOutcome } from '#libs/audit-events';
import type { Clock } from '#libs/kernel';
import type { Telemetry } from '#libs/platform';
import type { RunView } from '../complete/run-parts.js';
import { GENAI, providerName } from './genai-names.js';

const SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
];

type Hot = Telemetry['hot'];
type Series<K extends 'counter' | 'histogram'> = ReturnType<ReturnType<Hot[K]>['with']>;

interface PerEndpoint {
  readonly duration: Series<'histogram'>;
  readonly firstToken: Series<'histogram'>;
  readonly input: Series<'counter'>;
  readonly output: Series<'counter'>;
}

/** What the data plane measures of itself. Labels are ids of ours: never a caller's text. */
export class IngressMetrics {
  readonly #requests;
  readonly #duration;
  readonly #firstToken;
  readonly #input;
  readonly #output;
  readonly #append: Series<'histogram'>;
  readonly #appendRecords: Series<'counter'>;
  readonly #disagreements: Series<'counter'>;
  readonly #byModel = new Map<string, PerEndpoint>();
  /** By outcome and code: both are words of ours, so there are few. */
  readonly #byCode = new Map<string, Map<string, Series<'counter'>>>();

  constructor(
    private readonly telemetry: Telemetry,
    inFlight: () => number,
  ) {
    const { hot } = telemetry;
    this.#requests = hot.counter('custos.requests', {
      description: 'Requests by how they went on',
      unit: '{request}',
    });
    this.#duration = hot.histogram(GENAI.serverRequestDuration, {
      description: 'From the last byte of the request to the last of the answer',
      unit: 's',
      boundaries: SECONDS,
    });
    this.#firstToken = hot.histogram(GENAI.serverTimeToFirstToken, {
      description: 'From dispatch to the first content',
      unit: 's',
      boundaries: SECONDS,
    });
    this.#input = hot.counter(GENAI.usageInputTokens, {
      description: 'Input tokens',
      unit: '{token}',
    });
    this.#output = hot.counter(GENAI.usageOutputTokens, {
      description: 'Output tokens',
      unit: '{token}',
    });
    this.#append = hot
      .histogram('custos.audit.append.duration', {
        description: 'From first send to acknowledgement',
        unit: 's',
        boundaries: SECONDS,
      })
      .with();
    this.#appendRecords = hot
      .counter('custos.audit.append.records', {
        description: 'Acknowledged records',
        unit: '{record}',
      })
      .with();
    this.#disagreements = hot
      .counter('custos.policy.evaluator.disagreements', {
        description: 'Bundles under which the compiled evaluator and cedar-wasm once disagreed',
        unit: '{bundle}',
      })
      .with();
    telemetry
      .meter('custos.ingress')
      .createObservableGauge('custos.generations.in_flight', { unit: '{generation}' })
      .addCallback((o) => o.observe(inFlight()));
  }

  count(what: string, code: string): void {
    let ofOutcome = this.#byCode.get(what);
    if (ofOutcome === undefined) this.#byCode.set(what, (ofOutcome = new Map()));
    let series = ofOutcome.get(code);
    if (series === undefined) {
      series = this.#requests.with({ outcome: what, code });
      ofOutcome.set(code, series);
    }
    series.add(1);
  }

  appended(latencyMs: number, records: number): void {
    this.#append.record(latencyMs / 1000);
    this.#appendRecords.add(records);
  }

  evaluatorsDisagreed(): void {
    this.#disagreements.add(1);
  }

  closed(run: RunView, status: GenerationOutcome, clock: Clock): void {
    const nowMs = clock.nowMs();
    const series = this.#of(run);
    series.duration.record((clock.monotonicMs() - run.parts.receivedMonotonicMs) / 1000);
    if (run.firstContentMs !== undefined) series.firstToken.record(run.firstContentMs / 1000);
    const { usage } = run;
    if (usage) {
      series.input.add(usage.inputTokens);
      series.output.add(usage.outputTokens);
    }
    this.count('closed', status);
    this.#span(run, status, nowMs);
  }

  #of(run: RunView): PerEndpoint {
    const { endpoint } = run;
    let series = this.#byModel.get(endpoint.id);
    if (!series) {
      const labels = {
        [GENAI.operationName]: 'chat',
        [GENAI.providerName]: providerName(endpoint.providerId),
        [GENAI.requestModel]: endpoint.modelId,
      };
      series = {
        duration: this.#duration.with(labels),
        firstToken: this.#firstToken.with(labels),
        input: this.#input.with(labels),
        output: this.#output.with(labels),
      };
      this.#byModel.set(endpoint.id, series);
    }
    return series;
  }

  /** One span per generation, made at its end from the times at hand, where a collector is configured. */
  #span(run: RunView, status: GenerationOutcome, nowMs: number): void {
    const tracer = this.telemetry.sampledTracer();
    if (!tracer) return;
    const { endpoint, usage } = run;
    const span = tracer.startSpan(`chat ${endpoint.modelId}`, {
      startTime: run.parts.receivedAtMs,
      attributes: {
        [GENAI.operationName]: 'chat',
        [GENAI.providerName]: providerName(endpoint.providerId),
        [GENAI.requestModel]: endpoint.modelId,
        [GENAI.responseModel]: endpoint.upstreamModel,
        [GENAI.responseId]: run.parts.id,
        ...(usage
          ? { [GENAI.inputTokens]: usage.inputTokens, [GENAI.outputTokens]: usage.outputTokens }
          : {}),
        ...(status === 'completed' ? {} : { [GENAI.errorType]: status }),
      },
    });
    span.end(nowMs);
  }
}
