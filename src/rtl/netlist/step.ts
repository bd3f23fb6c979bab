/** What a plan is made of. */
import type { ChoiceNode, Node, Signal } from './design.ts';
import type { Controls, Update } from './update.ts';

/** Updates under the same controls, and what only they need. */
export interface Block extends Controls {
  readonly updates: readonly Update[];
}

/** Steps in their order. */
export type Step =
  | { readonly kind: 'compute'; readonly node: Node }
  | {
      readonly kind: 'choose';
      readonly node: ChoiceNode;
      readonly whenZero: Step[];
      readonly whenOne: Step[];
    }
  | { readonly kind: 'show'; readonly output: Signal }
  | { readonly kind: 'update'; readonly update: Update }
  | { readonly kind: 'block'; readonly block: Block; readonly steps: Step[] };
