// The page of the board.
import { render } from 'preact';
import { startLive } from './data/live.js';
import { loadSession } from './data/session.js';
import { App } from './shell/app.js';
import './style.css';

await loadSession();
render(<App />, document.querySelector('#page')!);
startLive();
