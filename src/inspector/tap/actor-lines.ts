import type { ActorsLine, ChartLine, GapLine, TraceLine } from '../recording/recording-line.ts';

/** A line about actors; a gap stands for those of focused actors that were too many. */
export type ActorLine = ChartLine | ActorsLine | TraceLine | GapLine;
