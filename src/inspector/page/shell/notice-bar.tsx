import { useEffect } from 'preact/hooks';
import { useStore } from '../store/store-context.ts';
import { useFileDrop } from './file-drop.tsx';

const frames = 60 * 6;

/** Short messages: what became of an action, what is wrong with a file. */
export function NoticeBar() {
  const store = useStore();
  const isOver = useFileDrop();
  const notice = store.notice.value;
  useEffect(() => {
    if (notice?.tone !== 'done') return undefined;
    let [left, request] = [frames, 0];
    const wait = (): void => {
      if (left-- > 0) request = requestAnimationFrame(wait);
      else store.dismiss();
    };
    wait();
    return () => cancelAnimationFrame(request);
  }, [notice, store]);
  if (isOver) return <div class="drop-here">Drop the recording</div>;
  if (notice === undefined) return null;
  return (
    <div class={`notice-bar ${notice.tone}`} role={notice.tone === 'error' ? 'alert' : 'status'}>
      <span>
        {notice.text}
        {notice.remedy !== undefined && <span class="muted">. {notice.remedy}</span>}
      </span>
      <button type="button" class="quiet" aria-label="Close" onClick={() => store.dismiss()}>
        ✕
      </button>
    </div>
  );
}
