import { render } from 'preact';
import { App } from './shell/app.tsx';
import { InspectorApi } from './store/inspector-api.ts';
import { PageStore } from './store/page-store.ts';
import { StoreContext } from './store/store-context.ts';

const token = new URLSearchParams(location.search).get('token');
const api = token === null ? undefined : new InspectorApi(token);
const store = new PageStore(api, (draw) => void requestAnimationFrame(draw));

const root = document.querySelector('#page');
if (root !== null) {
  render(
    <StoreContext.Provider value={store}>
      <App />
    </StoreContext.Provider>,
    root,
  );
}
void store.connect();
