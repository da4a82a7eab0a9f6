import './production.ts';

// One after the other: both write to the console, and to `out`.
await import('./flights/main.ts');
await import('./paid-calls/main.ts');
