import './production.ts';

// Sequential, because they write to the console and to `out`.
await import('./run-again/main.ts');
await import('./flights/main.ts');
await import('./paid-calls/main.ts');
