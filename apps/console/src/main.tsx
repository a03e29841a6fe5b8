import { render } from 'preact';
import { App } from './app.js';
import './styles/tokens.css';
import './styles/controls.css';
import './styles/shell.css';
import './styles/page.css';
import './styles/playground.css';

const root = document.getElementById('app');
if (root !== null) render(<App />, root);
