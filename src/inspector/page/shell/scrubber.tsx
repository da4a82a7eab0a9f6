import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { RecordingFile } from '../store/recording-file.ts';
import { useStore } from '../store/store-context.ts';
import { formatClock, formatCount, formatOffset } from './format.ts';

/** How long a recording plays, however long the run took. */
const playMs = 20_000;
const steps = 1_000;

/** Goes through the time of a recording. */
export function Scrubber({ file, name }: { file: RecordingFile; name: string }) {
  const store = useStore();
  const isPlaying = useSignal(false);
  usePlay(file, isPlaying);
  const position = store.position.value;
  const atMs = file.timeAfter(position);
  const step = (lines: number): void => {
    isPlaying.value = false;
    store.seek(position + lines);
  };
  return (
    <footer class="scrubber" aria-label="Time of the recording">
      <button
        type="button"
        aria-label={isPlaying.value ? 'Pause' : 'Play'}
        onClick={() => (isPlaying.value = !isPlaying.value)}
      >
        {isPlaying.value ? '❚❚' : '▶'}
      </button>
      <button type="button" aria-label="One line back" disabled={position <= 1} onClick={() => step(-1)}>
        ‹
      </button>
      <button type="button" aria-label="One line on" disabled={position >= file.lineCount} onClick={() => step(1)}>
        ›
      </button>
      <TimeSlider file={file} atMs={atMs} onSeek={() => (isPlaying.value = false)} />
      <output>
        <strong>{formatOffset(atMs - file.run.atMs)}</strong>{' '}
        <span class="muted">{formatClock(atMs + file.run.epochMs)}</span>
      </output>
      <span class="muted clip" title={name}>
        line {formatCount(position)} of {formatCount(file.lineCount)}
        {file.unreadable > 0 && `, ${file.unreadable} unreadable`} · {name}
      </span>
    </footer>
  );
}

interface TimeSliderProps {
  readonly file: RecordingFile;
  readonly atMs: number;
  readonly onSeek: () => void;
}

function TimeSlider({ file, atMs, onSeek }: TimeSliderProps) {
  const store = useStore();
  const length = Math.max(file.endMs - file.startMs, Number.MIN_VALUE);
  return (
    <input
      type="range"
      min={0}
      max={steps}
      step={1}
      aria-label="Time"
      aria-valuetext={formatOffset(atMs - file.run.atMs)}
      value={Math.round(((atMs - file.startMs) / length) * steps)}
      onInput={({ currentTarget: { valueAsNumber } }) => {
        onSeek();
        const isEnd = valueAsNumber === steps;
        store.seek(isEnd ? file.lineCount : file.linesUntil(file.startMs + (valueAsNumber / steps) * length));
      }}
    />
  );
}

/** Moves through a recording while it plays; from its beginning if it is at its end. */
function usePlay(file: RecordingFile, isPlaying: Signal<boolean>): void {
  const store = useStore();
  useEffect(() => {
    if (!isPlaying.value) return undefined;
    const length = file.endMs - file.startMs;
    let [request, before, atMs] = [0, 0, file.timeAfter(store.position.value)];
    if (atMs >= file.endMs) atMs = file.startMs;
    const play = (nowMs: number): void => {
      if (before > 0) atMs += ((nowMs - before) / playMs) * length;
      before = nowMs;
      store.seek(file.linesUntil(atMs));
      if (atMs >= file.endMs) isPlaying.value = false;
      else request = requestAnimationFrame(play);
    };
    request = requestAnimationFrame(play);
    return () => cancelAnimationFrame(request);
  }, [file, isPlaying.value]);
}
