import { enqueueActions } from 'xstate';
import type { ExecutorLostError } from '../../errors/executor-errors.ts';
import { engineChart } from '../engine-chart.ts';
import { taskExecutorMachine } from './task-executor-machine.ts';

/** The chart of an executor with the implementations that it names. One for all runs, because XState recomputes a machine each time implementations are provided. */
export const executorMachine = engineChart(taskExecutorMachine).provide({
  actions: {
    recordState: () => {},
    failTasks: enqueueActions(({ context: { attempts, cause }, enqueue }) => {
      for (const execution of attempts())
        enqueue.sendTo(execution, { type: 'execution.fail', cause: cause as ExecutorLostError });
    }),
  },
});
