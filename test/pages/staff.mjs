// Drives the page of members of staff who are called: a duty, a call that comes by itself, a number off the screen, a refusal.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { base, out, people, say, browser, person, steady, forged } from './rig.mjs';

const dir = process.env.DIR;
const given = async name => {
  for (let i = 0; i < 300; i++) {
    if (existsSync(`${dir}/${name}`)) return readFileSync(`${dir}/${name}`, 'utf8');
    await new Promise(r => setTimeout(r, 100));
  }
  throw new Error(name + ' did not come');
};
const calls = page => steady(page, () => document.querySelectorAll('[data-call]').length);

try {
  const a = await person(people[0]), b = await person(people[1]);
  await a.goto(base + '/proofs');
  say('before', [await a.$$eval('select[name=site] option', all => all.map(o => o.textContent)), await a.$('#calls') === null]);
  await a.selectOption('select[name=site]', 'hall');
  await a.click('#on');
  await a.waitForSelector('#duty');
  say('duty', (await a.innerText('#duty')).split(' · ')[0]);

  // A call comes by itself, and the tab says so.
  const number = await given('number');
  await a.waitForSelector('[data-call]');
  await a.waitForFunction(() => document.title.startsWith('(1) '));
  const text = await a.innerText('main');
  say('called', [await calls(a), text.includes('李*雯'), text.includes('990000-0002'), text.split(/\s+/).includes(number)]);
  await a.screenshot({ path: out + '/staff.png', fullPage: true });
  await b.goto(base + '/proofs');
  say('not on duty', await calls(b));

  // The browser itself does not send a form in which something is not said.
  await a.click('form.vouch .confirm');
  say('unsent', await a.$eval('form.vouch input[name=number]', e => e.validity.valueMissing));
  await a.fill('form.vouch input[name=number]', number);
  await a.click('form.vouch .confirm');
  say('unticked', await a.$eval('form.vouch input[name=same]', e => e.validity.valueMissing));

  // Another call comes: what was typed stays.
  writeFileSync(`${dir}/typed`, '');
  await a.waitForFunction(() => document.title.startsWith('(2) '));
  say('kept', [await calls(a), await a.inputValue('form.vouch input[name=number]') === number]);
  await a.selectOption('form.vouch select[name=document]', 'resident');
  await a.check('form.vouch input[name=saw]');
  await a.check('form.vouch input[name=same]');
  await a.click('form.vouch .confirm');
  await a.waitForURL(base + '/proofs');
  await a.waitForFunction(() => document.querySelectorAll('#ended tbody tr').length === 1);
  say('left', [await calls(a), (await a.innerText('#ended tbody')).includes('已确认')]);

  await a.selectOption('form.decline select[name=reason]', 'no-document');
  await a.click('form.decline button');
  await a.waitForFunction(() => document.querySelectorAll('[data-call]').length === 0);
  await a.screenshot({ path: out + '/staff-ended.png', fullPage: true });

  say('another site', await forged(a, base + '/proofs/duty', { act: 'off' }));
  await a.goto(base + '/proofs');
  await a.click('#off');
  await a.waitForSelector('#on');
  say('off', await a.$('#duty') === null);
} finally {
  await browser.close();
}
