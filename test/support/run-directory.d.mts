export const runDirectoryVariable: string;
export function openRunDirectory(): string;
export function sweepDeadRuns(): Promise<void>;
export function removeRunDirectory(directory: string): Promise<void>;
