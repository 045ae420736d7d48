/** Where a settled generation's opening and close stand, in 16 bytes and a map's entry: ten million leaves have millions. */
export class SettledIndex {
  readonly #slots = new Map<string, number>();
  #next = 0;
  #leaves = new Float64Array(2 * 1_024);

  get size(): number {
    return this.#slots.size;
  }

  set(generationId: string, openedLeaf: number, closedLeaf: number): void {
    const slot = this.#slots.get(generationId) ?? this.#next++;
    this.#slots.set(generationId, slot);
    if (2 * slot >= this.#leaves.length) {
      const larger = new Float64Array(2 * this.#leaves.length);
      larger.set(this.#leaves);
      this.#leaves = larger;
    }
    this.#leaves[2 * slot] = openedLeaf;
    this.#leaves[2 * slot + 1] = closedLeaf;
  }

  delete(generationId: string): void {
    this.#slots.delete(generationId);
  }

  has(generationId: string): boolean {
    return this.#slots.has(generationId);
  }

  get(
    generationId: string,
  ): { readonly openedLeaf: number; readonly closedLeaf: number } | undefined {
    const slot = this.#slots.get(generationId);
    if (slot === undefined) return undefined;
    return { openedLeaf: this.#leaves[2 * slot]!, closedLeaf: this.#leaves[2 * slot + 1]! };
  }
}
