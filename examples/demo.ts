import './production.ts';

// Sequential, because both write to the console and to `out`.
await import('./flights/main.ts');
await import('./paid-calls/main.ts');
