/*
 * Waiting: for a condition, with a deadline. Nothing sleeps for a fixed time, and the deadline is wide
 * enough for a machine ten times slower.
 */
export const WAIT_S = 100;

/* Polls until the condition holds and returns its value; at the deadline, says which did not. */
export async function until(condition, what, seconds = WAIT_S) {
    const deadline = Date.now() + seconds * 1000;
    let last = "";
    for (;;) {
        try {
            const value = await condition();
            if (value) {
                return value;
            }
        } catch (error) {
            last = `; last: ${error.message}`;
        }
        if (Date.now() > deadline) {
            throw new Error(`not within ${seconds} s: ${what}${last}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}
