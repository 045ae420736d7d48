// Where a process spends its CPU while it works: V8's sampling profiler over the inspector, for the window alone.

/** 0.2 ms: fine enough for parts of a request, cheap enough not to change it. */
const SAMPLE_MICROS = 200;

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly children?: readonly number[];
}

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
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

const IDLE = '(idle)';

/** The heaviest functions, files and rooms, in µs per request. */
export function describeProfile(profile: CpuProfile, requests: number): string {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const { id, children = [] } of profile.nodes) for (const c of children) parents.set(c, id);
  const counts = { functions: new Counts(), owners: new Counts(), files: new Counts() };
  const rooms = new Counts();
  let busyMicros = 0;
  for (const [n, id] of profile.samples.entries()) {
    const node = nodes.get(id);
    // The time between two samples belongs to the earlier one.
    const micros = profile.timeDeltas[n + 1] ?? 0;
    if (node === undefined || node.callFrame.functionName === IDLE) continue;
    busyMicros += micros;
    counts.functions.add(nameOf(node.callFrame), micros);
    counts.files.add(fileOf(node.callFrame), micros);
    let owner: ProfileNode | undefined = node;
    while (owner !== undefined && !isOurs(owner.callFrame))
      owner = nodes.get(parents.get(owner.id) ?? -1);
    counts.owners.add(nameOf((owner ?? node).callFrame), micros);
    rooms.add(roomOf(fileOf((owner ?? node).callFrame)), micros);
  }
  const table = (title: string, heaviest: readonly (readonly [string, number])[]): string =>
    [
      title,
      ...heaviest.map(([name, micros]) => {
        const each = (micros / requests).toFixed(2).padStart(8);
        return `${each} µs ${((100 * micros) / busyMicros).toFixed(1).padStart(5)} %  ${name}`;
      }),
    ].join('\n');
  return [
    `${(busyMicros / requests).toFixed(1)} µs of the main thread per request, ${requests} requests`,
    table('Self time by function', counts.functions.heaviest(45)),
    table('Self time by file', counts.files.heaviest(30)),
    table(
      'Self time of Node, natives and packages charged to the nearest function of ours above',
      counts.owners.heaviest(45),
    ),
    table('The same by room', rooms.heaviest(30)),
  ].join('\n\n');
}

class Counts {
  readonly #micros = new Map<string, number>();

  add(name: string, micros: number): void {
    this.#micros.set(name, (this.#micros.get(name) ?? 0) + micros);
  }

  heaviest(count: number): readonly (readonly [string, number])[] {
    return [...this.#micros].sort((a, b) => b[1] - a[1]).slice(0, count);
  }
}

const isOurs = ({ url }: CallFrame): boolean =>
  url.includes('/dist/') && !url.includes('/node_modules/');

const nameOf = (frame: CallFrame): string =>
  `${frame.functionName || '(anonymous)'}  ${fileOf(frame)}:${frame.lineNumber + 1}`;

/** From `dist` or `node_modules` on; natives and V8's own work have no file. */
function fileOf({ url, functionName }: CallFrame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : '(native)';
  return url.replace(/^.*\/dist\//, '').replace(/^.*\/node_modules\//, 'node_modules/');
}

/** The lib, the app, the package, or Node. */
function roomOf(file: string): string {
  const parts = file.split('/');
  const depth = parts[0] === 'node_modules' && parts[1]?.startsWith('@') ? 3 : 2;
  return parts.slice(0, depth).join('/');
}
