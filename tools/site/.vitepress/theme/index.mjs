// The theme of VitePress, with tables that fit.
import theme from 'vitepress/theme';
import './style.css';

export default theme;
