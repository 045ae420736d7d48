import { DirectorySource, isDirectory } from './directory-source.js';
import type { ExportSource } from './export-source.js';
import { UrlSource } from './url-source.js';

/** A URL may name the log or its checkpoint. Undefined where the name is neither a directory nor an http(s) URL. */
export async function openSource(
  name: string,
  auditorKey?: string,
): Promise<ExportSource | undefined> {
  if (isUrl(name)) return new UrlSource(name.replace(/\/checkpoint$/, ''), auditorKey);
  return (await isDirectory(name)) ? new DirectorySource(name) : undefined;
}

export const isUrl = (name: string): boolean => /^https?:\/\//.test(name) && URL.canParse(name);
