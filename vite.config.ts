import { defineConfig } from 'vite';

// Also where a test builds it.
process.env['NODE_ENV'] = 'production';

/** Builds the inspector's page. Relative addresses, so that it can be mounted below any path. */
export default defineConfig({
  root: 'src/inspector/page',
  base: './',
  publicDir: false,
  build: {
    outDir: '../../../dist/inspector/page',
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy allows no `data:` addresses.
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: true,
  },
});
