/** A value on an object of somebody else's. */
export interface Stamp<V> {
  /** Once per object. */
  set (object: object, value: V): void
  /** Throws where there is none. */
  get (object: object): V
  find (object: object): V | undefined
}

/** What a constructor returns takes the place of `this`, so a derived class adds its private fields to it. */
class Itself {
  constructor (object: object) {
    return object
  }
}

/**
 * A private field for objects of others: nobody can see it, and it goes with its object. A WeakMap does the same, but native objects
 * that come and go by the thousand, as statements and requests do, cost it up to microseconds each.
 */
export function createStamp<V> (): Stamp<V> {
  class Stamped extends Itself {
    readonly #value: V

    constructor (object: object, value: V) {
      super(object)
      this.#value = value
    }

    static read (object: object): V {
      return (object as Stamped).#value
    }

    static find (object: object): V | undefined {
      return #value in object ? object.#value : undefined
    }
  }
  return {
    set: (object, value) => { Reflect.construct(Stamped, [object, value]) },
    get: object => Stamped.read(object),
    find: object => Stamped.find(object)
  }
}
