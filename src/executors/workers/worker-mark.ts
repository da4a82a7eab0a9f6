/** The argument of worker threads of a run, by which they are known without `worker_threads`. Their job does not see it. */
export const workerMark = 'kintsugi-worker';
