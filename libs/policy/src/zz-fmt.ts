import { readFileSync, writeFileSync } from 'node:fs';
import { formatPolicyText } from '#libs/policy';
for (const f of process.argv.slice(2)) {
  const t = readFileSync(f, 'utf8');
  const r = formatPolicyText(t);
  if (!r.ok) {
    console.log(f, r);
    continue;
  }
  if (r.value !== t) {
    writeFileSync(f, r.value);
    console.log('formatted', f);
  }
}
