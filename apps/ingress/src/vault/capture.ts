import type { Principal } from '#libs/identity';
import type { GenerationId } from '#libs/kernel';
import type { Subject } from '#libs/vault';
import type { Lane } from '../complete/lanes.js';

/** Whose content it is, and where its records go. */
export interface CapturedOf {
  readonly id: GenerationId;
  readonly principal: Principal;
  readonly lane: Lane;
  readonly subject: Subject;
  readonly receivedAtMs: number;
  readonly keepDays: number;
}

export type NotKept = 'queue_full' | 'vault_unavailable' | 'erased' | 'shutting_down';

/** One generation's content as it waits to be sealed. */
export interface CapturedContent {
  readonly of: CapturedOf;
  readonly request: Buffer;
  readonly response: readonly Buffer[];
  readonly tooLarge: boolean;
  readonly heldBytes: number;
}

/** Memory that content may take while it waits, and what is done with it. */
export interface CaptureHost {
  readonly partBytesMax: number;
  /** False: there is no room for so much more. */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
  enqueue(content: CapturedContent): void;
  lose(of: CapturedOf, why: NotKept): void;
}

/**
 * Gathers what one client sent and was sent, in memory, until the generation has ended. It never waits and never fails its
 * request: what finds no room is given up, and that is recorded.
 */
export class Capture {
  #response: Buffer[] = [];
  #responseBytes = 0;
  #heldBytes = 0;
  #tooLarge = false;
  #lost = false;
  #over = false;

  constructor(
    private readonly host: CaptureHost,
    private readonly of: CapturedOf,
    private readonly request: Buffer,
  ) {
    this.#hold(request.length);
  }

  sent(text: string, encoding: 'latin1' | 'utf8'): void {
    if (this.#lost || this.#tooLarge || this.#over) return;
    const bytes = Buffer.from(text, encoding);
    if (this.#responseBytes + bytes.length > this.host.partBytesMax) {
      this.#tooLarge = true;
      this.#response = [];
      this.#giveBack(this.#responseBytes);
      return;
    }
    if (!this.#hold(bytes.length)) return;
    this.#responseBytes += bytes.length;
    this.#response.push(bytes);
  }

  /** The generation has ended. `dispatched`: its content left for a provider; else nothing of it is kept. */
  end(dispatched: boolean): void {
    if (this.#over) return;
    this.#over = true;
    if (!dispatched) this.#giveBack(this.#heldBytes);
    else if (this.#lost) this.host.lose(this.of, 'queue_full');
    else {
      const { of, request } = this;
      const heldBytes = this.#heldBytes;
      const response = this.#response;
      this.host.enqueue({ of, request, response, tooLarge: this.#tooLarge, heldBytes });
    }
    this.#response = [];
  }

  #hold(bytes: number): boolean {
    if (this.host.reserve(bytes)) {
      this.#heldBytes += bytes;
      return true;
    }
    this.#lost = true;
    this.#response = [];
    this.#giveBack(this.#heldBytes);
    return false;
  }

  #giveBack(bytes: number): void {
    this.#heldBytes -= bytes;
    this.host.release(bytes);
  }
}
