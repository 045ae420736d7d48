// A TCP relay between two processes that can stop everything at one exact message: the moment at which one of them is then
// killed. The product knows nothing of it, so no hook for tests is needed in it.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Passing {
  readonly connection: number;
  /** `up`: from the process under trial to whom it asks. */
  readonly direction: 'up' | 'down';
  readonly bytes: Buffer;
}

/** What becomes of the bytes that were stopped, once the process that sent them is dead. */
export type Held = 'delivered' | 'lost';

interface Line {
  readonly client: Socket;
  readonly server: Socket;
  /** Client's bytes that were stopped. */
  readonly stopped: Buffer[];
}

interface Trap {
  readonly matches: (passing: Passing) => boolean;
  readonly spring: () => void;
}

export class Tap {
  readonly #lines = new Map<number, Line>();
  #trap: Trap | undefined;
  #frozen = false;
  #lastConnection = 0;

  private constructor(
    private readonly server: Server,
    private readonly targetPort: () => number,
  ) {
    server.on('connection', (client) => this.#relay(client));
  }

  /** `targetPort` is asked for each connection: a server may come back elsewhere. All is on 127.0.0.1. */
  static async open(targetPort: () => number): Promise<Tap> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return new Tap(server, targetPort);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /**
   * At the first message that matches, this message and everything behind it, both ways, stops, and `act` is called in the
   * same turn. True when that came within the time. `thaw` afterwards, in either case.
   */
  stopAt(
    matches: (passing: Passing) => boolean,
    act: () => void,
    withinMs: number,
  ): { readonly sprung: Promise<boolean>; cancel(): void } {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const end = (sprung: boolean): void => {
      clearTimeout(late);
      if (this.#trap === trap) this.#trap = undefined;
      resolve(sprung);
    };
    const late = setTimeout(() => end(false), withinMs);
    const trap: Trap = {
      matches,
      spring: () => {
        this.#frozen = true;
        act();
        end(true);
      },
    };
    this.#trap = trap;
    return { sprung: promise, cancel: () => end(false) };
  }

  /** Lets go: what was stopped arrives as a dead sender's last words, or is lost; its connections end either way. */
  thaw(held: Held): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    for (const { client, server, stopped } of this.#lines.values()) {
      if (held === 'delivered' && stopped.length > 0) server.end(Buffer.concat(stopped));
      else server.destroy();
      client.destroy();
    }
    this.#lines.clear();
  }

  async close(): Promise<void> {
    this.#frozen = false;
    for (const { client, server } of this.#lines.values()) {
      client.destroy();
      server.destroy();
    }
    await new Promise<void>((closed) => this.server.close(() => closed()));
  }

  #relay(client: Socket): void {
    const connection = ++this.#lastConnection;
    const server = connect(this.targetPort(), '127.0.0.1');
    const line: Line = { client, server, stopped: [] };
    this.#lines.set(connection, line);
    for (const socket of [client, server]) socket.setNoDelay(true);
    this.#pass({ connection, direction: 'up' }, client, server, line);
    this.#pass({ connection, direction: 'down' }, server, client, line);
  }

  #pass(way: Omit<Passing, 'bytes'>, from: Socket, to: Socket, line: Line): void {
    from.on('data', (bytes: Buffer) => {
      if (!this.#frozen && this.#trap?.matches({ ...way, bytes }) === true) this.#trap.spring();
      if (this.#frozen) {
        if (way.direction === 'up') line.stopped.push(bytes);
        return;
      }
      if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    // While all is stopped an end is not passed on either: the far side must not learn of the death before the thaw.
    from.on('end', () => {
      if (!this.#frozen) to.end();
    });
    from.on('error', () => {
      // Not reset: a reset during a shutdown leaves Node a handle that it waits for at its end, for ever.
      if (!this.#frozen) to.destroy();
    });
    from.on('close', () => {
      if (this.#frozen) return;
      this.#lines.delete(way.connection);
      to.destroySoon();
    });
  }
}
