/**
 * Import this before everything else: it sets up a run as in production, where records are not frozen. Works in every
 * shell.
 */
process.env['NODE_ENV'] = 'production';
