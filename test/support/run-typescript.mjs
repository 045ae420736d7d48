// Lets a spec start a TypeScript file as a process of its own, without a build:
//   node -C source --experimental-transform-types --import <this file> script.ts
// Node strips the types; this maps the `.js` of our imports to the `.ts` that is there. No decorators.
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (!specifier.startsWith('.') || !specifier.endsWith('.js'))
      return nextResolve(specifier, context);
    try {
      return nextResolve(specifier.replace(/\.js$/, '.ts'), context);
    } catch {
      return nextResolve(specifier, context);
    }
  },
});
