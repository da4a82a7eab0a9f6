/** The params of an action or a guard that acts on the whole event. */
export const told = <Event>({ event }: { readonly event: Event }): Event => event;
