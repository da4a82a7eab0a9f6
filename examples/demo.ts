import './production.ts';
// First, because it refuses options that the demo does not have.
await import('./demo-options.ts');

// Sequential, because they write to the console and to `out`.
await import('./run-again/main.ts');
await import('./flights/main.ts');
await import('./paid-calls/main.ts');

// `npm run demo -- --inspect` shows the runs of this process in the inspector.
const { sayStaysOpen } = await import('./inspected.ts');
sayStaysOpen();
