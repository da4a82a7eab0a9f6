import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { RunPicture } from '../../recording/run-picture.ts';
import type { PageStore } from './page-store.ts';

/** The store of the page. */
export const StoreContext = createContext<PageStore | undefined>(undefined);

export function useStore(): PageStore {
  const store = useContext(StoreContext);
  if (store === undefined) throw new Error('The component is outside StoreContext');
  return store;
}

/** The picture to draw; the component is drawn again with each frame. undefined before there is a run. */
export function usePicture(): RunPicture | undefined {
  return useStore().run.frame.value?.picture;
}
