import type { StreamText } from '#libs/providers';

/** A provider whose events differ before its names (a time, padding) never repeats itself: stop learning after so many. */
const LESSONS_MAX = 16;

/** Puts our id and our model's name in the place of the provider's, in events that otherwise stay as they came. */
export class NameSplice {
  readonly #id: string;
  readonly #model: string;
  /** Of the last event that stood alone: from its start to the end of the later name, as it came and as it is shown. */
  #came = '';
  #shown = '';
  #lessons = 0;

  constructor(id: string, model: string) {
    this.#id = replacement(`"id":${JSON.stringify(id)}`);
    this.#model = replacement(`"model":${JSON.stringify(model)}`);
  }

  of({ latin1, idLiteral, modelLiteral }: StreamText): string {
    const came = this.#came;
    const alone = latin1.indexOf('\n\n') === latin1.length - 2;
    // Comparing a slice is a memory comparison; searching and replacing twice costs several times that.
    if (alone && came !== '' && latin1.slice(0, came.length) === came)
      return this.#shown + latin1.slice(came.length);
    if (alone && idLiteral !== undefined && modelLiteral !== undefined)
      this.#learn(latin1, idLiteral, modelLiteral);
    return this.#replaced(latin1, idLiteral, modelLiteral);
  }

  #learn(event: string, idLiteral: string, modelLiteral: string): void {
    if (this.#lessons >= LESSONS_MAX) return;
    this.#lessons++;
    const [id, model] = [event.indexOf(idLiteral), event.indexOf(modelLiteral)];
    this.#came = '';
    if (id < 0 || model < 0) return;
    const came = event.slice(0, Math.max(id + idLiteral.length, model + modelLiteral.length));
    // Named again further on: then not only what was compared changes.
    const rest = event.slice(came.length);
    if (rest.includes(idLiteral) || rest.includes(modelLiteral)) return;
    this.#came = came;
    this.#shown = this.#replaced(came, idLiteral, modelLiteral);
  }

  #replaced(
    latin1: string,
    idLiteral: string | undefined,
    modelLiteral: string | undefined,
  ): string {
    let s = latin1;
    if (idLiteral !== undefined) s = s.replaceAll(idLiteral, this.#id);
    if (modelLiteral !== undefined) s = s.replaceAll(modelLiteral, this.#model);
    return s;
  }
}

/** `replaceAll` reads `$` as its own. */
const replacement = (literal: string): string => literal.replaceAll('$', '$$$$');
