// Looks at every page as an administrator, on a screen of 1280 × 800: what is wider than its place is told, and each is a picture.
import { base, out, people, say, browser, person } from './rig.mjs';

try {
  const page = await person(people[2]);
  await page.goto(base + '/cards');
  const card = await page.$eval('#waiting tbody a', a => a.getAttribute('href'));
  for (const path of ['/', '/cases', '/requests', '/cards', card, '/desk', '/queue?at=s/3', '/terminals/990000-0001', '/enrol', '/events', '/operators', '/account', '/terminals/none']) {
    await page.goto(base + path);
    await page.waitForTimeout(300); // the overview fills itself
    const name = path === card ? 'card' : path === '/' ? 'overview' : path.slice(1).replace(/[/?=]/g, '-');
    await page.screenshot({ path: `${out}/look-${name}.png`, fullPage: true });
    const wide = await page.evaluate(() => [document.documentElement, ...document.querySelectorAll('section, nav, header')]
      .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + ' ' + e.scrollWidth + ' > ' + e.clientWidth));
    const low = await page.evaluate(() => [...document.querySelectorAll('button, select, input:not([type=hidden])')]
      .filter(e => e.getBoundingClientRect().height < 32).map(e => e.outerHTML.slice(0, 60)));
    // Nothing is done to a terminal or an account that nobody chose: no act stands there before.
    const chosen = await page.$$eval('select[name=act], select[name=order]', all => all.filter(e => e.value && e.form.action.indexOf('/cards/policy') < 0).map(e => e.value));
    say('looked', name);
    if (chosen.length) say('chosen before', [name, chosen]);
    if (wide.length) say('too wide', [name, wide]);
    if (low.length) say('too low', [name, low]);
  }
  await page.goto(base + '/login');
  await page.screenshot({ path: out + '/look-login.png', fullPage: true });
} finally {
  await browser.close();
}
