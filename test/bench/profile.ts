// Where a process spends its CPU while it works: V8's sampling profiler over the inspector, for the window alone.

/** 0.2 ms: fine enough for parts of a request, cheap enough not to change it. */
const SAMPLE_MICROS = 200;

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Profiles while `work` runs. `inspectorUrl` is what Node prints after "Debugger listening on". */
export async function profileWhile(
  inspectorUrl: string,
  work: () => Promise<void>,
): Promise<CpuProfile> {
  const socket = new WebSocket(inspectorUrl);
  await new Promise((open, failed) => {
    socket.addEventListener('open', open, { once: true });
    socket.addEventListener('error', () => failed(new Error('the inspector does not answer')));
  });
  let last = 0;
  const ask = (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve) => {
      const id = ++last;
      const hear = ({ data }: MessageEvent): void => {
        const said = JSON.parse(String(data)) as { id?: number; result?: unknown };
        if (said.id !== id) return;
        socket.removeEventListener('message', hear);
        resolve(said.result);
      };
      socket.addEventListener('message', hear);
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    await ask('Profiler.enable');
    await ask('Profiler.setSamplingInterval', { interval: SAMPLE_MICROS });
    await ask('Profiler.start');
    await work();
    return ((await ask('Profiler.stop')) as { profile: CpuProfile }).profile;
  } finally {
    socket.close();
  }
}

/** The heaviest functions and files, in µs of self time per request. */
export function describeProfile(profile: CpuProfile, requests: number): string {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const files = new Map<string, number>();
  const rooms = new Map<string, number>();
  let busyMicros = 0;
  for (const [n, id] of profile.samples.entries()) {
    const frame = frames.get(id);
    // The time between two samples belongs to the earlier one.
    const micros = profile.timeDeltas[n + 1] ?? 0;
    if (frame === undefined || frame.functionName === '(idle)') continue;
    busyMicros += micros;
    const file = fileOf(frame);
    add(
      functions,
      `${frame.functionName || '(anonymous)'}  ${file}:${frame.lineNumber + 1}`,
      micros,
    );
    add(files, file, micros);
    add(rooms, roomOf(file), micros);
  }
  const table = (title: string, counts: Map<string, number>, rows: number): string => {
    const heaviest = [...counts].sort((a, b) => b[1] - a[1]).slice(0, rows);
    const lines = heaviest.map(
      ([name, micros]) =>
        `${(micros / requests).toFixed(2).padStart(8)} µs ${((100 * micros) / busyMicros).toFixed(1).padStart(5)} %  ${name}`,
    );
    return `${title}\n${lines.join('\n')}`;
  };
  return [
    `${(busyMicros / requests).toFixed(1)} µs of the main thread per request, ${requests} requests, self time`,
    table('By function', functions, 45),
    table('By file', files, 40),
    table('By room', rooms, 30),
  ].join('\n\n');
}

function add(counts: Map<string, number>, name: string, micros: number): void {
  counts.set(name, (counts.get(name) ?? 0) + micros);
}

const fileOf = ({ url, functionName }: CallFrame): string =>
  url === ''
    ? functionName.startsWith('(')
      ? functionName
      : '(native)'
    : url.replace(/^.*\/(dist|node_modules)\//, (_, top: string) =>
        top === 'dist' ? '' : 'node_modules/',
      );

/** The lib, the app, the package, or Node. */
function roomOf(file: string): string {
  if (file.startsWith('node:'))
    return file.startsWith('node:internal/') ? file.split('/').slice(0, 2).join('/') : file;
  const parts = file.split('/');
  if (parts[0] === 'node_modules')
    return parts.slice(0, parts[1]?.startsWith('@') ? 3 : 2).join('/');
  return parts.slice(0, 2).join('/');
}
